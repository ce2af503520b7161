"""A `StreamStore` in memory: one event after the other, in the order of their records; proven by the real one's contract."""

from collections.abc import Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace

import numpy as np

from domain.entities.models import LifecycleEvent
from domain.entities.predictions import PredictionColumns
from domain.entities.rejections import DeadLetter, SkipReason
from domain.entities.streams import (
    BatchReceipt,
    CommittedPredictions,
    Contradiction,
    EventBatch,
    ModelStamp,
    Position,
    Skipped,
    StreamSource,
)
from domain.entities.trips import TIME, RecordColumns
from domain.errors import DatabaseUnreachable, Fenced
from domain.ports import Refuse

Record = tuple[int, int, int]  # source id, partition, offset


@dataclass
class Trip:
    facts: tuple[object, ...]  # what the event says, without the id
    record: Record | None
    prediction: tuple[np.float32, ...] | None = None
    stamp: ModelStamp | None = None
    scored_at: np.datetime64 | None = None
    traceparent: str | None = None
    published_at: np.datetime64 | None = None
    shadow: tuple[np.float32, ...] | None = None
    shadow_stamp: ModelStamp | None = None


@dataclass
class Completion:
    facts: tuple[object, object]
    record: Record | None


@dataclass
class State:
    trips: dict[str, Trip] = field(default_factory=dict)
    completions: dict[str, Completion] = field(default_factory=dict)
    dead_letters: dict[Record, DeadLetter] = field(default_factory=dict)
    skipped: dict[Record, Skipped] = field(default_factory=dict)  # one for each offset
    positions: dict[tuple[int, int], Position] = field(default_factory=dict)


@dataclass
class InMemoryStreams:
    """`reachable` False makes every method raise DatabaseUnreachable, at once."""

    reachable: bool = True
    sources: list[StreamSource] = field(default_factory=list)
    state: State = field(default_factory=State)
    lifecycle: list[LifecycleEvent] = field(default_factory=list)

    async def register(self, source: StreamSource) -> int:
        self._reach()
        if source not in self.sources:
            self.sources.append(source)
        return self.sources.index(source) + 1

    async def previous_source(self, source: StreamSource) -> StreamSource | None:
        self._reach()
        others = [other for other in self.sources if other.topic == source.topic and other != source]
        return others[-1] if others else None

    async def positions(self, source_id: int, partitions: Sequence[int]) -> dict[int, Position]:
        self._reach()
        stored = self.state.positions
        return {partition: stored[source_id, partition] for partition in partitions if (source_id, partition) in stored}

    async def open_partition(self, source_id: int, partition: int, start_offset: int) -> Position:
        self._reach()
        new = Position(partition, start_offset, start_offset, start_offset)
        return self.state.positions.setdefault((source_id, partition), new)

    async def mark_suspect(self, source_id: int, partition: int, offset: int) -> int:
        self._reach()
        position = self.state.positions[source_id, partition]
        attempts = position.attempts + 1 if position.suspect == offset else 1
        self.state.positions[source_id, partition] = replace(position, suspect=offset, attempts=attempts)
        return attempts

    async def write(self, source_id: int, batch: EventBatch, refuse: Refuse) -> BatchReceipt:
        self._reach()
        self._fence(source_id, batch)
        draft = deepcopy(self.state)
        writing = _Writing(draft, source_id, batch)
        writing.apply()
        letters = [*batch.dead_letters]
        if writing.contradictions:
            letters += await refuse(writing.contradictions)
        stored = [draft.dead_letters.setdefault((source_id, one.partition, one.offset), one) is one for one in letters]
        for skipped in batch.skipped:
            _skip(draft, source_id, skipped)
        self._advance(draft, source_id, batch)
        self._reach()
        self.state = draft
        return BatchReceipt(writing.stored, writing.ended, writing.settled, writing.repeats, sum(stored))

    async def unpublished(
        self, source_id: int, partition: int, first_offset: int, limit: int
    ) -> tuple[CommittedPredictions, int]:
        self._reach()
        position = self.state.positions.get((source_id, partition))
        found = [
            (trip_id, trip)
            for trip_id, trip in self.state.trips.items()
            if trip.record and trip.record[:2] == (source_id, partition) and trip.record[2] >= first_offset
        ]
        found = sorted(found, key=lambda item: item[1].record or ())[:limit]
        if len(found) == limit:
            return _committed(found), found[-1][1].record[2] + 1  # type: ignore[index]
        return _committed(found), max(first_offset, position.next_offset if position else 0)

    async def mark_published(self, source_id: int, published: dict[int, int]) -> None:
        self._reach()
        for partition, offset in published.items():
            self._move(self.state, source_id, partition, published_offset=offset)

    async def record(self, event: LifecycleEvent) -> None:
        self._reach()
        self.lifecycle.append(event)

    def _reach(self) -> None:
        if not self.reachable:
            raise DatabaseUnreachable("the test has switched the database off")

    def _fence(self, source_id: int, batch: EventBatch) -> None:
        for span in batch.spans:
            position = self.state.positions.get((source_id, span.partition))
            if position is None or position.next_offset != span.first_offset:
                raise Fenced(f"partition {span.partition} is stored up to {position}, not up to {span.first_offset}")

    def _advance(self, draft: State, source_id: int, batch: EventBatch) -> None:
        for span in batch.spans:
            place = source_id, span.partition
            self._move(draft, source_id, span.partition, published_offset=batch.published.get(span.partition, 0))
            draft.positions[place] = replace(draft.positions[place], next_offset=span.next_offset, suspect=None, attempts=0)

    @staticmethod
    def _move(state: State, source_id: int, partition: int, published_offset: int) -> None:
        position = state.positions.get((source_id, partition))
        if position and position.published_offset < published_offset <= position.next_offset:
            state.positions[source_id, partition] = replace(position, published_offset=published_offset)


@dataclass
class _Writing:
    state: State
    source_id: int
    batch: EventBatch
    settled: int = 0
    repeats: int = 0
    contradictions: list[Contradiction] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.stored = np.zeros(len(self.batch.started), dtype=np.bool_)
        self.ended = np.zeros(len(self.batch.completed), dtype=np.bool_)

    def apply(self) -> None:
        for partition, offset, is_start, row in sorted(self._events()):
            record = (self.source_id, partition, offset)
            if is_start:
                self._start(row, record)
            else:
                self._end(row, record)
        for row in np.flatnonzero(self.ended).tolist():  # in whatever order the batch told of start and end
            self.ended[row] = self.batch.completed.trip_id[row] in self.state.trips

    def _events(self) -> Iterator[tuple[int, int, bool, int]]:
        for is_start, records in ((True, self.batch.started_records), (False, self.batch.completed_records)):
            for row, (partition, offset) in enumerate(zip(records.partition, records.offset, strict=True)):
                yield int(partition), int(offset), is_start, row

    def _start(self, row: int, record: Record) -> None:
        trips, shadow = self.batch.started, self.batch.shadow
        trip_id, *facts = (getattr(trips, name)[row] for name in trips.__dataclass_fields__)
        end = self.state.completions.get(trip_id)
        agrees = end is None or end.facts[0] == facts[2]
        if self._is_first(trip_id, self.state.trips.get(trip_id), tuple(facts), record, agrees=agrees):
            seconds = _seconds(self.batch.predictions, row)
            scored_at = np.datetime64(self.batch.scored_at.replace(tzinfo=None), "us")
            trip = Trip(tuple(facts), record, seconds, self.batch.stamp, scored_at)
            if self.batch.envelopes is not None:
                trip.traceparent = self.batch.envelopes.traceparent[row]
                trip.published_at = self.batch.envelopes.published_at[row]
            if shadow is not None:
                trip.shadow, trip.shadow_stamp = _seconds(shadow.predictions, row), shadow.stamp
            self.state.trips[trip_id] = trip
            self.stored[row] = True
            self.settled += end is not None

    def _end(self, row: int, record: Record) -> None:
        ends = self.batch.completed
        trip_id, facts = ends.trip_id[row], (ends.pickup_at[row], ends.dropoff_at[row])
        trip = self.state.trips.get(trip_id)
        agrees = trip is None or trip.facts[2] == facts[0]
        if self._is_first(trip_id, self.state.completions.get(trip_id), facts, record, agrees=agrees):
            self.state.completions[trip_id] = Completion(facts, record)
            self.ended[row] = True
            self.settled += trip is not None

    def _is_first(
        self, trip_id: str, stored: Trip | Completion | None, facts: tuple[object, ...], record: Record, *, agrees: bool
    ) -> bool:
        """`agrees`: with the trip's other row, if there is one."""
        _, partition, offset = record
        if stored is None and agrees:
            return True
        if stored is not None and stored.record == record:
            return False
        if stored is not None and stored.facts == facts:
            _skip(self.state, self.source_id, Skipped(partition, offset, offset, SkipReason.IDENTICAL_REPEAT, trip_id))
            self.repeats += 1
        else:
            self.contradictions.append(Contradiction(partition, offset, trip_id, "stored otherwise"))
        return False


def _skip(state: State, source_id: int, skipped: Skipped) -> None:
    """Note every offset of the range that nothing accounts for yet."""
    taken = {row.record for rows in (state.trips, state.completions) for row in rows.values()} | set(state.dead_letters)
    for offset in range(skipped.first_offset, skipped.last_offset + 1):
        record = (source_id, skipped.partition, offset)
        if record not in taken:
            state.skipped.setdefault(record, skipped)


def _seconds(predictions: PredictionColumns, row: int) -> tuple[np.float32, ...]:
    return predictions.duration_seconds[row], predictions.lower_seconds[row], predictions.upper_seconds[row]


def _committed(found: list[tuple[str, Trip]]) -> CommittedPredictions:
    ids = np.empty(len(found), dtype=object)
    ids[:] = [trip_id for trip_id, _ in found]
    seconds = np.array([trip.prediction for _, trip in found], dtype=np.float32).reshape(len(found), 3)
    records = np.array([trip.record for _, trip in found], dtype=np.int64).reshape(len(found), 3)
    schema = np.empty(len(found), dtype=object)
    schema[:] = [trip.stamp.feature_schema for _, trip in found if trip.stamp]
    return CommittedPredictions(
        PredictionColumns(ids, seconds[:, 0], seconds[:, 1], seconds[:, 2]),
        RecordColumns(records[:, 1].astype(np.int32), records[:, 2]),
        model_version=np.array([trip.stamp.version for _, trip in found if trip.stamp], dtype=np.int32),
        feature_schema=schema,
        scored_at=np.array([trip.scored_at for _, trip in found], dtype=TIME),
        traceparent=np.array([trip.traceparent for _, trip in found], dtype=object),
    )
