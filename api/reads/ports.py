"""What the read side asks of the outside world. Every call raises Unreachable when that does not answer."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.entities.cohorts import By, QualityReport
from domain.entities.models import LifecycleEvent, ModelVersion
from domain.entities.rejections import Reason, StoredDeadLetter
from domain.entities.service import ServiceMinute
from domain.entities.story import Story
from domain.entities.trainings import TrainingRun
from domain.entities.trip_samples import TripSample
from domain.entities.watched import AreaSums, ErrorSteps, Reference, SignalStep
from schemas.http.health import Builds, Pool, RoleStatus, Setting
from schemas.http.snapshot import TripRow
from schemas.http.trips import DatabaseStats, DeadLetter, ReasonCount, Trip

Publish = Callable[[StoredDeadLetter], Awaitable[None]]


class ErrorStepsOf(Protocol):
    """Errors by step of pickup time, event time [since, until), of one area or of all."""

    async def __call__(self, since: datetime, until: datetime, *, step_minutes: int, area: int | None) -> ErrorSteps:
        """See the class."""
        ...


class LatestTripsOf(Protocol):
    """The newest trips by when their rows were written, at most `limit`."""

    async def __call__(self, source_id: int, partitions: int, limit: int, area: int | None) -> list[TripRow]:
        """See the class."""
        ...


class EventsSince(Protocol):
    """Lifecycle events of these kinds, wall time, the newest first."""

    async def __call__(self, since: datetime, kinds: Sequence[str]) -> list[LifecycleEvent]:
        """See the class."""
        ...


@dataclass(frozen=True, slots=True)
class LiveQueries:
    """What the page Live is made of, beside the sampler's memory."""

    error_steps: ErrorStepsOf
    rollup_bounds: Callable[[], Awaitable[tuple[datetime, datetime] | None]]
    reference_of: Callable[[str], Awaitable[Reference | None]]
    latest_trips: LatestTripsOf
    label_delay: Callable[[int], Awaitable[float | None]]
    area_sums: Callable[[datetime, datetime, datetime], Awaitable[AreaSums]]  # since, since of errors, until; event time
    signal_steps: Callable[[int], Awaitable[list[SignalStep]]]
    events_since: EventsSince
    role_changes: Callable[[], Awaitable[list[LifecycleEvent]]]
    quarantined_by_minute: Callable[[datetime], Awaitable[dict[datetime, int]]]
    story: Callable[[datetime], Awaitable[Story]]
    all_minutes: Callable[[], Awaitable[tuple[float, Sequence[ServiceMinute]]]]


class Letters(Protocol):
    """Dead letters with their bytes, for operators."""

    async def newest(self, reason: Reason | None = None, limit: int = 50) -> list[StoredDeadLetter]:
        """The newest first."""
        ...

    async def get(self, dead_letter_id: int) -> StoredDeadLetter:
        """One of them. Raises InvalidInput when there is none with that id."""
        ...

    async def choose(self, ids: Sequence[int] | None = None, reason: Reason | None = None, *, again: bool = False) -> list[int]:
        """Ids of those that a replay is to publish, oldest first; `again` includes those that were replayed already."""
        ...

    async def replay(self, dead_letter_id: int, publish: Publish, *, again: bool = False) -> bool:
        """Publish and mark as replayed; False when another replay has done so already."""
        ...


@dataclass(frozen=True, slots=True)
class Answers:
    """What the other routes are made of. `stored_sample`: see `TripSample`."""

    trip: Callable[[str], Awaitable[Trip | None]]
    stored_sample: Callable[[], Awaitable[TripSample]]
    refused_rows: Callable[[], Awaitable[dict[str, int]]]
    stats: Callable[[], Awaitable[DatabaseStats]]
    database_bytes: Callable[[], Awaitable[int]]
    versions: Callable[[], Awaitable[list[ModelVersion]]]
    runs: Callable[[], Awaitable[list[TrainingRun]]]
    role_changes: Callable[[], Awaitable[list[LifecycleEvent]]]
    quality: Callable[[By, datetime | None, datetime | None], Awaitable[QualityReport]]
    story: Callable[[datetime, str | None, int], Awaitable[Story]]
    signal: Callable[[str, datetime | None, int], Awaitable[list[SignalStep]]]
    alarms: Callable[[], Awaitable[list[LifecycleEvent]]]
    reasons: Callable[[], Awaitable[list[ReasonCount]]]
    letters: Callable[[str | None, int], Awaitable[list[DeadLetter]]]
    letter: Callable[[int], Awaitable[DeadLetter | None]]
    with_bytes: Letters
    replaying: Callable[[], AbstractAsyncContextManager[Publish]]
    roles: Callable[[], Awaitable[list[RoleStatus]]]
    pools: Callable[[], list[Pool]]
    settings: Callable[[], list[Setting]]
    builds: Callable[[], Awaitable[Builds]]
