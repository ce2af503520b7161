"""The stored records of trainings."""

from dataclasses import astuple, fields
from datetime import datetime

from adapters.postgres.connection.pool import Pool, connected
from adapters.postgres.tables.storable import text
from domain.entities.trainings import TrainingRun

COLUMNS = ", ".join(field.name for field in fields(TrainingRun))
INSERT = f"""
insert into training_runs ({COLUMNS}) values ({", ".join(f"${number + 1}" for number in range(len(fields(TrainingRun))))})
on conflict (mlflow_run_id) do nothing
"""
NEWEST = f"select {COLUMNS} from training_runs order by training_run_id desc limit $1"
KNOWN_UNTIL = "select data_to from training_runs where mlflow_run_id = $1"


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

    async def known_until(self, run_id: str) -> datetime | None:
        """The newest pickup that the model of this run learnt from; None when the run is not recorded here."""
        async with connected(self._pool) as connection:
            newest: datetime | None = await connection.fetchval(KNOWN_UNTIL, run_id)
        return newest
