"""Quality by minute, the loop's journal, requests, verdicts, expirations and baselines."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(Path(__file__).parent.with_name("0002_closed_loop.sql").read_text(encoding="utf-8"))
