"""What training needs from the world; the adapters' contracts."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

from domain.baselines import Baseline
from domain.entities.models import LifecycleEvent
from domain.entities.trainings import TrainedFrom, TrainingRun
from domain.entities.trips import CompletionColumns, Floats, TripColumns
from domain.gates import GateResult
from domain.packages import ModelPackage


class History(Protocol):
    """Stored trips. Raises DatabaseUnreachable."""

    async def labelled_trips(
        self, since: datetime | None = None, until: datetime | None = None, *, ended_before: datetime | None = None
    ) -> tuple[TripColumns, CompletionColumns]:
        """Trips that have ended, before `ended_before` if given, with a pickup in [since, until), in order of pickup."""
        ...


class Records(Protocol):
    """What is kept of trainings. Every method is idempotent but `judged`, and raises DatabaseUnreachable."""

    async def add(self, run: TrainingRun) -> None:
        """Record a run, by its MLflow run id."""
        ...

    async def known_until(self, run_id: str) -> datetime | None:
        """The newest pickup that the model of this run learnt from; None when the run is not recorded here."""
        ...

    async def judged(self, subject: str, version: int | None, results: Sequence[GateResult]) -> None:
        """Record what the gates found."""
        ...

    async def normal(self, version: int, run_id: str, baseline: Baseline) -> None:
        """Record what is normal for a version."""
        ...

    async def trusted(self) -> tuple[TripColumns, Floats] | None:
        """The trips that were set aside, with durations in seconds; None when none were."""
        ...

    async def set_aside(self, trips: TripColumns, seconds: Floats) -> None:
        """Set trips aside, unless some were before."""
        ...


class Journal(Protocol):
    """The record of what happened to models. Raises DatabaseUnreachable."""

    async def record(self, event: LifecycleEvent) -> None:
        """Append an event."""
        ...

    async def newest(self, kinds: Sequence[str], subject: str | None = None) -> LifecycleEvent | None:
        """The event of these kinds, about this subject, that was recorded last."""
        ...


class Experiments(Protocol):
    """MLflow, as a trainer writes to it. Raises RegistryUnreachable."""

    def record(
        self,
        name: str,
        trained_from: TrainedFrom,
        parameters: Mapping[str, float | str],
        metrics: Mapping[str, float],
        artifacts: Path,
    ) -> str:
        """Write one finished run with the files of a folder; returns its id."""
        ...

    def register(self, run_id: str, package: ModelPackage, metrics: Mapping[str, float]) -> int:
        """Make the package a version without an alias; returns its number."""
        ...
