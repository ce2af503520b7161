"""Everything that a training leaves in PostgreSQL, for the trainer alone."""

from collections.abc import Sequence
from datetime import datetime

from adapters.postgres.connection.pool import Pool
from adapters.postgres.loop.baselines import add_baseline
from adapters.postgres.loop.gate_results import add_gate_results
from adapters.postgres.loop.training_runs import TrainingRuns
from adapters.postgres.loop.trusted_trips import TrustedTrips
from domain.baselines import Baseline
from domain.entities.trainings import TrainingRun
from domain.entities.trips import Floats, TripColumns
from domain.gates import GateResult


class TrainingRecords:
    """Implements `batch.ports.Records`. Every method raises DatabaseUnreachable."""

    def __init__(self, pool: Pool) -> None:
        self._pool, self._runs, self._trusted = pool, TrainingRuns(pool), TrustedTrips(pool)

    async def add(self, run: TrainingRun) -> None:
        """Record a run. Idempotent by its MLflow run id."""
        await self._runs.add(run)

    async def known_until(self, run_id: str) -> datetime | None:
        """The newest pickup that the model of this run learnt from; None when the run is not recorded here."""
        return await self._runs.known_until(run_id)

    async def judged(self, subject: str, version: int | None, results: Sequence[GateResult]) -> None:
        """Record what the gates found."""
        await add_gate_results(self._pool, subject, version, results)

    async def normal(self, version: int, run_id: str, baseline: Baseline) -> None:
        """Record what is normal for a version. Idempotent."""
        await add_baseline(self._pool, version, run_id, baseline)

    async def trusted(self) -> tuple[TripColumns, Floats] | None:
        """The trips that were set aside, with durations in seconds; None when none were."""
        return await self._trusted.all()

    async def set_aside(self, trips: TripColumns, seconds: Floats) -> None:
        """Set trips aside, unless some were before."""
        await self._trusted.set_aside(trips, seconds)
