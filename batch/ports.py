"""What training needs from the world; the adapters' contracts."""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Protocol

from domain.entities.trainings import TrainedFrom, TrainingRun
from domain.entities.trips import CompletionColumns, TripColumns
from domain.packages import ModelPackage


class History(Protocol):
    """Stored trips. Raises DatabaseUnreachable."""

    async def labelled_trips(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> tuple[TripColumns, CompletionColumns]:
        """Trips that have ended, with a pickup in [since, until), in order of pickup."""
        ...


class Records(Protocol):
    """Stored training runs. Raises DatabaseUnreachable."""

    async def add(self, run: TrainingRun) -> None:
        """Record a run. Idempotent by its MLflow run id."""
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
