"""Turn fetched records into one batch that a transaction can write: decoded, judged, scored by one model version."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from domain.entities.predictions import PredictionColumns, Role
from domain.entities.rejections import DeadLetter, Reason
from domain.entities.streams import Contradiction, EventBatch, ModelStamp, ShadowPredictions, Skipped, Span
from domain.entities.trips import Strings
from domain.features import CityClock, Matrix, features_of
from domain.ports import ScoringModel
from domain.quality import TripRules
from domain.services.score_trips import score_features
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


@dataclass(frozen=True, slots=True)
class Scorers:
    """Who scores one batch: the champion, and whoever shadows it; taken once a batch."""

    champion: ScoringModel
    shadow: ScoringModel | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A batch ready to be written. `timestamps_ms`: when its records were made, shape (n,), milliseconds since 1970.

    `shadow_failure`: why the shadow's predictions are missing though there was one.
    """

    batch: EventBatch
    records: Records
    timestamps_ms: NDArray[np.int64]
    shadow_failure: str | None = None

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

    def __call__(self, fetched: Fetched, scorers: Scorers) -> Prepared:
        """Decode and score. Never raises for what an event says; each event becomes a row or a dead letter."""
        scored_at = self.now()
        decoded = decode(fetched.records, self.rules, scored_at, self.decode_one)
        features, champion = features_of(decoded.started, self.clock), scorers.champion
        shadow, failure = _shadowed(decoded.started.trip_id, features, scorers.shadow)
        batch = EventBatch(
            spans=fetched.spans,
            started=decoded.started,
            started_records=decoded.started_records,
            predictions=score_features(decoded.started.trip_id, features, champion),
            stamp=ModelStamp(champion.version, champion.feature_schema),
            scored_at=scored_at,
            completed=decoded.completed,
            completed_records=decoded.completed_records,
            dead_letters=decoded.dead_letters,
            skipped=fetched.skipped,
            shadow=shadow,
            envelopes=decoded.envelopes,
        )
        return Prepared(batch, fetched.records, _timestamps(fetched.records), failure)

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


def _shadowed(trip_id: Strings, features: Matrix, model: ScoringModel | None) -> tuple[ShadowPredictions | None, str | None]:
    """The shadow's predictions, or why there are none."""
    if model is None:
        return None, None
    try:
        predictions = score_features(trip_id, features, model)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with a shadow, the champion's answers go out
        return None, str(error).partition("\n")[0] or type(error).__name__
    if not np.isfinite(predictions.duration_seconds).all():
        return None, "it answers with something that is not a number of seconds"
    return ShadowPredictions(predictions, ModelStamp(model.version, model.feature_schema, Role.CHALLENGER)), None


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
