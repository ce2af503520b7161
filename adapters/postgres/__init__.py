"""PostgreSQL: rows, offsets, history, migrations."""
