"""The world around a Monitor, in memory: rows of a stream, the loop's memory, a registry, and a topic to announce on."""

import copy
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from domain.baselines import Baseline
from domain.entities.models import LifecycleEvent
from domain.entities.streams import Span
from domain.entities.trips import SECOND, CompletionColumns, RecordColumns, Times, TripColumns
from domain.errors import DatabaseUnreachable, Fenced
from domain.loop.decisions import Decision, Fact, Request
from domain.loop.journal import Entry, Round, Standing, event_of
from domain.loop.signals import Reading
from domain.loop.steps import Step
from domain.loop.tracker import Reach
from domain.sums import Cells, Places, Tally
from domain.tallies import ScoredTrips
from schemas.events import QualitySignal, SignalSpan
from stream.monitor_ports import Serving
from stream.span_tallies import SpanRows, newest_event_us, tally_of_spans
from tests.tallied import scored

SOURCE = 1


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Implements `stream.monitor_ports.StretchRows`."""

    started: ScoredTrips
    started_records: RecordColumns
    ended: CompletionColumns
    ended_records: RecordColumns
    settled: ScoredTrips
    dropoff_at: Times
    refused: RecordColumns
    newest_before: np.datetime64 | None

    def span_rows(self) -> SpanRows:
        return SpanRows(
            self.started, self.started_records, self.ended, self.ended_records, self.settled, self.dropoff_at, self.refused
        )


class InMemoryTrips:
    """Trips whose starts and ends lie in partitions in the order in which they happen; also the topic that they came from."""

    def __init__(self, trips: TripColumns, minutes: Sequence[float], partitions: int = 2, shadow: int | None = 2) -> None:
        self.scored = scored(trips, 1, shadow)
        self.dropoff_at = trips.pickup_at + np.asarray(np.array(minutes) * 60 * SECOND)
        home = np.arange(len(trips)) % partitions
        self.log: dict[int, list[tuple[np.datetime64, bool, int]]] = {}
        for partition in range(partitions):
            mine = np.flatnonzero(home == partition).tolist()
            events = [(trips.pickup_at[row], True, row) for row in mine]
            events += [(self.dropoff_at[row], False, row) for row in mine]
            self.log[partition] = sorted(events, key=lambda event: (event[0], event[1]))
        self.committed = dict.fromkeys(self.log, 0)  # what is rows already

    def commit(self, next_offsets: Mapping[int, int] | None = None) -> None:
        """These records are rows now; by default all."""
        for partition, offset in (next_offsets or {number: len(events) for number, events in self.log.items()}).items():
            self.committed[partition] = max(self.committed[partition], offset)

    def rows(self, partition: int, first: int, until: int) -> Rows:
        events = list(enumerate(self.log[partition]))
        begun = [(offset, row) for offset, (_, starts, row) in events[first:until] if starts]
        ended = [(offset, row) for offset, (_, starts, row) in events[first:until] if not starts]
        before = [at for _, (at, starts, _) in events[:first] if starts]
        started, settled = (self.scored.take(np.array([row for _, row in each], dtype=np.intp)) for each in (begun, ended))
        dropoff_at = self.dropoff_at[[row for _, row in ended]]
        records, end_records = (_records(partition, [offset for offset, _ in each]) for each in (begun, ended))
        completions = CompletionColumns(settled.trip_id, settled.pickup_at, dropoff_at)
        newest = max(before, default=None)
        return Rows(started, records, completions, end_records, settled, dropoff_at, _records(partition, []), newest)

    def signal(self, spans: Mapping[int, tuple[int, int]], source_id: int = SOURCE) -> QualitySignal:
        """What a worker says of these offsets."""
        told, tallies = [], []
        for partition, (first, until) in spans.items():
            found, span = self.rows(partition, first, until), Span(partition, first, until)
            tallies.append(tally_of_spans(found.span_rows(), {partition: found.newest_before}))
            at_end = until == len(self.log[partition])
            told.append(SignalSpan(partition, first, until, newest_event_us(found.span_rows(), span), at_end))
        return QualitySignal(source_id, told, Tally.merged(tallies).as_lists(), 1, 2, "worker")

    async def source_id(self) -> int:
        return SOURCE

    async def ends(self) -> Mapping[int, int]:
        return {partition: len(events) for partition, events in self.log.items()}


@dataclass(frozen=True, slots=True)
class Stored:
    expired: int


@dataclass(slots=True)
class InMemoryLoopStore:
    """Implements `stream.monitor_ports.LoopStore`. `failing`: so many of the next calls find no database."""

    trips: InMemoryTrips
    standing_now: Standing = field(default_factory=Standing)
    journal: list[Entry] = field(default_factory=list)
    cells: Cells = field(default_factory=Cells.empty)
    places: Places = field(default_factory=Places.empty)
    readings: list[Reading] = field(default_factory=list)
    events: list[LifecycleEvent] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)
    expirations: list[tuple[int, int]] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    stretches: list[tuple[int, int, int]] = field(default_factory=list)
    failing: int = 0

    async def standing(self, source_id: int) -> Standing:
        self._reach()
        began = {partition: Reach(0, None, caught_up=False) for partition in self.trips.log}
        stored = {number: replace(reach, caught_up=False) for number, reach in self.standing_now.reaches.items()}
        return replace(self.standing_now, reaches=began | stored)

    async def entries(self, until: int) -> AsyncIterator[list[Entry]]:
        for entry in self.journal[:until]:
            yield [entry]

    async def commit(self, source_id: int, made: Round) -> Stored:
        self._reach()
        moved = {partition: reach.next_offset for partition, reach in self.standing_now.reaches.items()}
        if any(made.before.get(partition) != offset for partition, offset in moved.items()):
            raise Fenced("another worker leads the loop")
        if made.after.seq - len(made.entries) != len(self.journal):
            raise Fenced("another worker leads the loop")
        self.standing_now = copy.copy(made.after)
        self.journal += made.entries
        self.cells = Cells.merged([self.cells, made.cells])
        known = {(each.signal, each.minute) for each in self.readings}
        self.readings += [each for each in made.readings if (each.signal, each.minute) not in known]
        self.places = Places.merged([self.places, made.places])
        for decision in made.decisions:
            self._decide(decision)
        self.expirations += made.expire
        return Stored(len(made.expire))

    async def owed(self, after_event_id: int) -> list[tuple[int, LifecycleEvent]]:
        self._reach()
        return list(enumerate(self.events, 1))[after_event_id:]

    async def committed(self, source_id: int) -> Mapping[int, int]:
        self._reach()
        return dict(self.trips.committed)

    async def stretch(self, source_id: int, partition: int, offsets: tuple[int, int]) -> Rows:
        self._reach()
        self.stretches.append((partition, *offsets))
        return self.trips.rows(partition, *offsets)

    async def unlearnt(self) -> list[Fact]:
        self._reach()
        learnt = [entry.given for entry in self.journal]
        return [fact for fact in self.facts if fact not in learnt]

    async def baseline(self, version: int, run_id: str | None) -> Baseline | None:
        return None

    async def rolled_back(self, version: int) -> bool:
        return False

    def steps(self) -> list[dict[str, object]]:
        """The steps of the journal, as plain values."""
        return [entry.given.as_dict() for entry in self.journal if isinstance(entry.given, Step)]

    def _decide(self, decision: Decision) -> None:
        if isinstance(decision, Request):
            self.requests.append(decision)
        self.events.append(event_of(decision, datetime.now(UTC)))

    def _reach(self) -> None:
        if self.failing:
            self.failing -= 1
            raise DatabaseUnreachable("no database in this test")


@dataclass(slots=True)
class FixedRegistry:
    """Implements `stream.monitor_ports.Registered`."""

    serving: Serving | None = field(default_factory=lambda: Serving(1, "run", 2))

    async def __call__(self) -> Serving | None:
        return self.serving


def _records(partition: int, offsets: Sequence[int]) -> RecordColumns:
    return RecordColumns(np.full(len(offsets), partition, dtype=np.int32), np.array(offsets, dtype=np.int64))
