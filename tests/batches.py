"""Batches for tests: told as a list of events, built as the worker builds them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import numpy as np

from domain.entities.predictions import PredictionColumns, Role
from domain.entities.rejections import DeadLetter, Reason, SkipReason
from domain.entities.streams import Contradiction, Envelopes, EventBatch, ModelStamp, ShadowPredictions, Skipped, Span
from domain.entities.trips import TIME, CompletionColumns, RecordColumns, TripColumns

NOON = np.datetime64("2016-03-01T17:00:00", "us")
SCORED_AT = datetime(2016, 3, 1, 17, 0, 1, 234567, tzinfo=UTC)
STAMP = ModelStamp(version=3, feature_schema="0123456789ab")
SHADOW_STAMP = ModelStamp(version=4, feature_schema="0123456789ab", role=Role.CHALLENGER)


@dataclass(frozen=True)
class Start:
    trip_id: str
    minute: int = 0  # of the pickup, after NOON
    passengers: int = 1
    partition: int = 0
    traceparent: str | None = None
    published_ms: int | None = 1_456_851_601_000


@dataclass(frozen=True)
class End:
    trip_id: str
    minute: int = 0
    lasted: int = 10  # minutes
    partition: int = 0


@dataclass(frozen=True)
class Poison:
    partition: int = 0


@dataclass(frozen=True)
class Nothing:
    """An offset without a record, such as a transaction marker."""

    partition: int = 0


Event = Start | End | Poison | Nothing


@dataclass
class Refusals:
    """A `refuse` that makes dead letters, and remembers what it was asked."""

    asked: list[Contradiction] = field(default_factory=list)

    async def __call__(self, contradictions: Sequence[Contradiction]) -> Sequence[DeadLetter]:
        self.asked += contradictions
        return [letter(one.partition, one.offset, Reason.CONTRADICTS_STORED, one.detail) for one in contradictions]


def letter(partition: int, offset: int, reason: Reason = Reason.INVALID_JSON, detail: str = "not JSON") -> DeadLetter:
    headers = (("trace", b"\x00\xff"), ("empty", None))
    return DeadLetter(partition, offset, SCORED_AT, b"key", b"{\xff\x00", headers, reason, detail)


def batch_of(
    events: Sequence[Event],
    first_offsets: dict[int, int] | None = None,
    published: dict[int, int] | None = None,
    skipped: Sequence[Skipped] = (),
) -> EventBatch:
    """The batch that holds these events in this order, from `first_offsets` on (default: from 0) in each partition."""
    firsts = first_offsets or {event.partition: 0 for event in events}
    offsets = dict(firsts)
    placed = []
    for event in events:
        placed.append((event, offsets[event.partition]))
        offsets[event.partition] += 1
    starts = [(event, offset) for event, offset in placed if isinstance(event, Start)]
    ends = [(event, offset) for event, offset in placed if isinstance(event, End)]
    started = _trips([event for event, _ in starts])
    return EventBatch(
        spans=tuple(Span(partition, firsts[partition], offsets[partition]) for partition in sorted(offsets)),
        started=started,
        started_records=_records(starts),
        predictions=predictions_of(started),
        stamp=STAMP,
        scored_at=SCORED_AT,
        completed=_completions([event for event, _ in ends]),
        completed_records=_records(ends),
        dead_letters=tuple(letter(event.partition, offset) for event, offset in placed if isinstance(event, Poison)),
        skipped=(*_nothings(placed), *skipped),
        published=published or {},
        envelopes=_envelopes([event for event, _ in starts]),
    )


def with_shadow(batch: EventBatch) -> EventBatch:
    """The same, scored by a shadow too."""
    said = batch.predictions
    doubled = PredictionColumns(
        said.trip_id, *(2 * part for part in (said.duration_seconds, said.lower_seconds, said.upper_seconds))
    )
    return replace(batch, shadow=ShadowPredictions(doubled, SHADOW_STAMP))


def predictions_of(trips: TripColumns) -> PredictionColumns:
    """Seconds with digits that float64 would round differently."""
    seconds = (np.arange(len(trips), dtype=np.float32) + np.float32(0.1)) * np.float32(100)
    return PredictionColumns(trips.trip_id, seconds, seconds * np.float32(0.7), seconds * np.float32(1.3))


def _envelopes(events: Sequence[Start]) -> Envelopes:
    published_at = np.array(["NaT" if event.published_ms is None else event.published_ms for event in events], "datetime64[ms]")
    return Envelopes(published_at.astype(TIME), np.array([event.traceparent for event in events], dtype=object))


def _trips(events: Sequence[Start]) -> TripColumns:
    count = len(events)
    return TripColumns(
        trip_id=_ids(events),
        vendor_id=np.full(count, 2, dtype=np.int16),
        passenger_count=np.array([event.passengers for event in events], dtype=np.int16),
        pickup_at=_times([event.minute for event in events]),
        pickup_latitude=np.full(count, 40.1 + 0.65),
        pickup_longitude=np.full(count, -73.9),
        dropoff_latitude=np.full(count, 40.7),
        dropoff_longitude=np.full(count, -73.8),
    )


def _completions(events: Sequence[End]) -> CompletionColumns:
    return CompletionColumns(
        _ids(events), _times([event.minute for event in events]), _times([event.minute + event.lasted for event in events])
    )


def _records(placed: Sequence[tuple[Event, int]]) -> RecordColumns:
    partitions = np.array([event.partition for event, _ in placed], dtype=np.int32)
    return RecordColumns(partitions, np.array([offset for _, offset in placed], dtype=np.int64))


def _nothings(placed: Sequence[tuple[Event, int]]) -> list[Skipped]:
    return [
        Skipped(event.partition, offset, offset, SkipReason.NO_RECORD) for event, offset in placed if isinstance(event, Nothing)
    ]


def _ids(events: Sequence[Start] | Sequence[End]) -> np.ndarray:
    ids = np.empty(len(events), dtype=object)
    ids[:] = [event.trip_id for event in events]
    return ids


def _times(minutes: Sequence[int]) -> np.ndarray:
    return (NOON + np.array(minutes, dtype=np.int64) * np.timedelta64(60_000_000, "us")).astype(TIME)
