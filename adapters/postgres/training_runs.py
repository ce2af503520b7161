"""The record of every training: what was learned from, how well, and what became of it."""

from dataclasses import astuple, dataclass, fields
from datetime import datetime

from adapters.postgres.connection import Pool, connected
from adapters.postgres.storable import text


@dataclass(frozen=True, slots=True)
class TrainingRun:
    """One candidate trained once. Errors in minutes on the held-out trips of `split`; `model_version` if registered.

    The trips had pickups in [data_from, data_to]; `data_sha256` is the hash of their columns.
    """

    mlflow_run_id: str
    candidate: str
    split: str
    started_at: datetime
    seconds: float
    rows: int
    data_from: datetime
    data_to: datetime
    data_sha256: str
    rmse_minutes: float
    mae_minutes: float
    r2: float
    model_version: int | None
    reason: str


COLUMNS = ", ".join(field.name for field in fields(TrainingRun))
INSERT = f"""
insert into training_runs ({COLUMNS}) values ({", ".join(f"${number + 1}" for number in range(len(fields(TrainingRun))))})
on conflict (mlflow_run_id) do nothing
"""
NEWEST = f"select {COLUMNS} from training_runs order by training_run_id desc limit $1"


class TrainingRuns:
    """The stored training runs. Every method raises DatabaseUnreachable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, run: TrainingRun) -> None:
        """Record a run. Idempotent by its MLflow run id."""
        values = [text(value) if isinstance(value, str) else value for value in astuple(run)]
        async with connected(self._pool) as connection:
            await connection.execute(INSERT, *values)

    async def newest(self, limit: int = 50) -> list[TrainingRun]:
        """The newest first."""
        async with connected(self._pool) as connection:
            return [TrainingRun(**row) for row in await connection.fetch(NEWEST, limit)]
