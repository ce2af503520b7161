"""History in one partition a month of pickup, so that old months are dropped and new ones stay small."""

from pathlib import Path

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    script = Path(__file__).parent.with_name("0005_history_by_month.sql").read_text(encoding="utf-8")
    op.get_bind().exec_driver_sql(script, execution_options={"no_parameters": True})  # its percent signs are format()'s
