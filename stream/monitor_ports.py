"""What the Monitor needs of the world, as contracts; `bootstrap` brings in who fulfils them."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from domain.baselines import Baseline
from domain.entities.models import LifecycleEvent
from domain.entities.trips import CompletionColumns, RecordColumns, Times
from domain.loop.decisions import Decision, Fact
from domain.loop.journal import Entry, Round, Standing
from domain.loop.signals import Reading
from domain.loop.steps import Step
from domain.tallies import ScoredTrips


class Leadership(Protocol):
    """The right to host the loop, which one worker has at a time."""

    async def ask(self) -> bool:
        """Whether it is ours, taking it if it is free; never raises."""
        ...

    def end(self) -> None:
        """Give it up. Idempotent, never waits."""
        ...


class Stored(Protocol):
    """What storing a round came to."""

    @property
    def expired(self) -> int:
        """Trips that were given up."""
        ...


class StretchRows(Protocol):
    """What became rows in a stretch of one partition, as `stream.span_tallies.SpanRows` has it."""

    @property
    def started(self) -> ScoredTrips:
        """Trips that began, in offset order."""
        ...

    @property
    def started_records(self) -> RecordColumns:
        """Their records."""
        ...

    @property
    def ended(self) -> CompletionColumns:
        """Completions of trips that had begun, in offset order."""
        ...

    @property
    def ended_records(self) -> RecordColumns:
        """Their records."""
        ...

    @property
    def settled(self) -> ScoredTrips:
        """The starts of those that have a prediction."""
        ...

    @property
    def dropoff_at(self) -> Times:
        """When these ended, row by row."""
        ...

    @property
    def refused(self) -> RecordColumns:
        """Where the refused events were."""
        ...

    @property
    def newest_before(self) -> np.datetime64 | None:
        """The latest pickup of the partition before the stretch."""
        ...


class LoopStore(Protocol):
    """The loop's memory. Every method raises DatabaseUnreachable."""

    async def standing(self, source_id: int) -> Standing:
        """Where the last round ended; every partition that was ever read has a reach."""
        ...

    def entries(self, until: int) -> AsyncIterator[list[Entry]]:
        """The journal up to the number `until`, in order, in pieces."""
        ...

    async def commit(self, source_id: int, made: Round) -> Stored:
        """Store a round, all of it or nothing. Raises Fenced when another worker has stored one meanwhile."""
        ...

    async def owed(self, after_event_id: int) -> list[tuple[int, LifecycleEvent]]:
        """The loop's lifecycle events after one, with their ids, in order."""
        ...

    async def committed(self, source_id: int) -> Mapping[int, int]:
        """Up to which offset rows are stored, for each partition that was ever read."""
        ...

    async def stretch(self, source_id: int, partition: int, offsets: tuple[int, int]) -> StretchRows:
        """What the committed records [first, next) of a partition became."""
        ...

    async def unlearnt(self) -> list[Fact]:
        """What came of requests, and who approved of what, that is not in the journal; oldest first."""
        ...

    async def baseline(self, version: int, run_id: str | None) -> Baseline | None:
        """What is normal for a version, or None when nobody knows."""
        ...

    async def rolled_back(self, version: int) -> bool:
        """Whether the version is champion because another was rolled back."""
        ...


class LoopState(Protocol):
    """`domain.loop.loop.Loop`, as the Monitor uses it."""

    @property
    def phase(self) -> str:
        """Where the loop is, in a word."""
        ...

    def step(self, step: Step) -> list[Decision]:
        """Take in what became final."""
        ...

    def readings(self, step: Step) -> Sequence[Reading]:
        """What is seen of each signal, right after `step`. Changes nothing."""
        ...

    def learn(self, fact: Fact) -> list[Decision]:
        """Take in what came of a request, or what somebody has changed."""
        ...


@dataclass(frozen=True, slots=True)
class Serving:
    """Which versions have a job now. `champion` None: none has; `run_id` is the champion's."""

    champion: int | None
    run_id: str | None
    shadow: int | None


class Registered(Protocol):
    """Asks who serves."""

    async def __call__(self) -> Serving | None:
        """None when nobody can say now."""
        ...


class EventTopic(Protocol):
    """The input topic, seen from outside. Raises BrokerUnreachable."""

    async def source_id(self) -> int:
        """The number of its present incarnation. Raises DatabaseUnreachable too."""
        ...

    async def ends(self) -> Mapping[int, int]:
        """The offsets after the last records."""
        ...
