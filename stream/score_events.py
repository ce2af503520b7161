"""Turn fetched records into one batch that a transaction can write: decoded, judged, scored by one model version."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from domain.entities.predictions import PredictionColumns
from domain.entities.rejections import DeadLetter, Reason
from domain.entities.streams import Contradiction, EventBatch, ModelStamp, Skipped, Span
from domain.features import CityClock
from domain.ports import ScoringModel
from domain.quality import TripRules
from domain.services.score_trips import score_trips
from stream.decode import Decode, dead_letter, decode, decode_event
from stream.ports import Records


@dataclass(frozen=True, slots=True)
class Fetched:
    """Records, the spans of offsets that they fill, and the offsets in those spans that have no record."""

    records: Records
    spans: tuple[Span, ...]
    skipped: tuple[Skipped, ...] = ()

    def __len__(self) -> int:
        """How many records there are."""
        return sum(map(len, self.records.values()))


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A batch ready to be written. `timestamps_ms`: when its records were made, shape (n,), milliseconds since 1970."""

    batch: EventBatch
    records: Records
    timestamps_ms: NDArray[np.int64]

    def contradicted(self, contradictions: Sequence[Contradiction]) -> list[DeadLetter]:
        """Dead letters for events of this batch that the database contradicts."""
        found = {(partition, record.offset): record for partition, records in self.records.items() for record in records}
        return [
            dead_letter(each.partition, found[each.partition, each.offset], Reason.CONTRADICTS_STORED, each.detail)
            for each in contradictions
        ]


@dataclass(frozen=True, slots=True)
class ScoreEvents:
    """Runs in a thread beside the event loop: no I/O, no shared state."""

    rules: TripRules
    clock: CityClock
    decode_one: Decode = decode_event
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    def __call__(self, fetched: Fetched, model: ScoringModel) -> Prepared:
        """Decode and score. Never raises for what an event says; each event becomes a row or a dead letter."""
        scored_at = self.now()
        decoded = decode(fetched.records, self.rules, scored_at, self.decode_one)
        batch = EventBatch(
            spans=fetched.spans,
            started=decoded.started,
            started_records=decoded.started_records,
            predictions=score_trips(decoded.started, model, self.clock),
            stamp=ModelStamp(model.version, model.feature_schema),
            scored_at=scored_at,
            completed=decoded.completed,
            completed_records=decoded.completed_records,
            dead_letters=decoded.dead_letters,
            skipped=fetched.skipped,
        )
        return Prepared(batch, fetched.records, _timestamps(fetched.records))

    def without_rows(
        self, span: Span, skipped: tuple[Skipped, ...] = (), dead_letters: tuple[DeadLetter, ...] = ()
    ) -> Prepared:
        """A batch that accounts for offsets without any row."""
        empty = decode({}, self.rules, self.now())
        nothing = np.empty(0, dtype=np.float32)
        batch = EventBatch(
            spans=(span,),
            started=empty.started,
            started_records=empty.started_records,
            predictions=PredictionColumns(empty.started.trip_id, nothing, nothing, nothing),
            stamp=ModelStamp(0, ""),
            scored_at=self.now(),
            completed=empty.completed,
            completed_records=empty.completed_records,
            dead_letters=dead_letters,
            skipped=skipped,
        )
        return Prepared(batch, {}, np.empty(0, dtype=np.int64))


def _timestamps(records: Records) -> NDArray[np.int64]:
    stamps: list[int] = []
    for batch in records.values():
        stamps += [record.timestamp for record in batch]
    return np.array(stamps, dtype=np.int64)


def singly(fetched: Fetched) -> Iterator[Fetched]:
    """The same in offset order, one record or one range without records at a time. For one partition."""
    [span] = fetched.spans
    parts = [
        Fetched({span.partition: [record]}, (Span(span.partition, record.offset, record.offset + 1),))
        for record in fetched.records.get(span.partition, ())
    ]
    parts += [
        Fetched({}, (Span(span.partition, hole.first_offset, hole.last_offset + 1),), (hole,)) for hole in fetched.skipped
    ]
    yield from sorted(parts, key=lambda part: part.spans[0].first_offset)
