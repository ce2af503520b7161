"""Keys, served predictions, and what the board draws from."""

from pathlib import Path

from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.get_bind().exec_driver_sql(Path(__file__).parent.with_name("0004_api_and_board.sql").read_text(encoding="utf-8"))
