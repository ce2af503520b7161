"""Trips, predictions, completions, and the positions in the stream that they came from."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.get_bind().exec_driver_sql(Path(__file__).parent.with_name("0001_trips_and_streams.sql").read_text(encoding="utf-8"))
