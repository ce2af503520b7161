"""Trips that are set aside for new models to be tried on, and how far the notifier has come."""

from pathlib import Path

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(Path(__file__).parent.with_name("0003_trainer.sql").read_text(encoding="utf-8"))
