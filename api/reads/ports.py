"""What the read side asks of the outside world. Every call raises Unreachable when that does not answer."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from domain.entities.models import LifecycleEvent
from domain.entities.service import ServiceMinute
from domain.entities.story import Story
from domain.entities.watched import AreaSums, ErrorSteps, Reference, SignalStep
from schemas.http.snapshot import Areas, TripRow


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


@dataclass(frozen=True, slots=True)
class Answers:
    """What the other routes are made of."""

    areas: Areas
