"""Positions in an event stream, the batch that moves them, and the receipt for it."""

from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from domain.entities.predictions import PredictionColumns, Role
from domain.entities.rejections import DeadLetter, SkipReason
from domain.entities.trips import Columns, CompletionColumns, RecordColumns, Strings, Times, TripColumns


@dataclass(frozen=True, slots=True)
class StreamSource:
    """One incarnation of a topic: a re-created topic of the same name is another source."""

    cluster_id: str
    topic: str
    topic_uuid: UUID


@dataclass(frozen=True, slots=True)
class Position:
    """What is stored for a partition: records in [start, next) are accounted for, those in [start, published) published.

    `attempts` counts deaths of a worker while record `suspect` was the only one in hand (0 and None when there were none).
    """

    partition: int
    start_offset: int
    next_offset: int
    published_offset: int
    suspect: int | None = None
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class Span:
    """The records [first, next) of one partition that a batch accounts for."""

    partition: int
    first_offset: int
    next_offset: int


@dataclass(frozen=True, slots=True)
class Skipped:
    """Records [first, last] of a partition that leave neither row nor dead letter, and why."""

    partition: int
    first_offset: int
    last_offset: int
    reason: SkipReason
    trip_id: str | None = None


@dataclass(frozen=True, slots=True)
class ModelStamp:
    """What every prediction row says about its origin."""

    version: int
    feature_schema: str
    role: Role = Role.CHAMPION


@dataclass(frozen=True, slots=True, eq=False)
class ShadowPredictions:
    """What a shadowing version said about the same trips, row by row; stored under its own stamp, never published."""

    predictions: PredictionColumns
    stamp: ModelStamp


@dataclass(frozen=True, slots=True, eq=False)
class Envelopes(Columns):
    """What came beside started events. Shape (n,).

    published_at: the record's timestamp, datetime64[us] in UTC, NaT where it has none. traceparent: the W3C header as str, None
    where there is none.
    """

    published_at: Times
    traceparent: Strings


@dataclass(frozen=True, slots=True, eq=False)
class EventBatch:
    """All that one transaction writes: rows with their records, dead letters, skipped records and the spans they fill.

    `started`, `started_records`, `predictions` and, where they are known, `envelopes` have one length; so have `completed`
    and `completed_records`. Within a partition rows are in offset order. `published` gives, per partition, the offset below
    which predictions are on Kafka.
    """

    spans: tuple[Span, ...]
    started: TripColumns
    started_records: RecordColumns
    predictions: PredictionColumns
    stamp: ModelStamp
    scored_at: datetime
    completed: CompletionColumns
    completed_records: RecordColumns
    dead_letters: tuple[DeadLetter, ...] = ()
    skipped: tuple[Skipped, ...] = ()
    published: dict[int, int] = field(default_factory=dict)
    shadow: ShadowPredictions | None = None
    envelopes: Envelopes | None = None


@dataclass(frozen=True, slots=True)
class Contradiction:
    """An event of the batch that says something else than what is stored for its trip."""

    partition: int
    offset: int
    trip_id: str
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class BatchReceipt:
    """What the transaction did.

    `stored`: mask over `started`, true where the trip and its prediction were inserted (to be published now).
    `ended`: mask over `completed`, true where the completion was inserted and its trip had started.
    `settled`: how many trips now have both a start and a completion because of this batch.
    `repeats`: identical repeats, recorded as skipped. `dead_letters`: how many were stored, contradictions included.
    """

    stored: NDArray[np.bool_]
    ended: NDArray[np.bool_]
    settled: int
    repeats: int
    dead_letters: int


@dataclass(frozen=True, slots=True, eq=False)
class CommittedPredictions:
    """Champion predictions as their rows hold them: enough to publish the same bytes again. All arrays have shape (n,).

    `traceparent`: of the trip's event, str objects or None.
    """

    predictions: PredictionColumns
    records: RecordColumns
    model_version: NDArray[np.int32]
    feature_schema: Strings
    scored_at: Times
    traceparent: Strings
