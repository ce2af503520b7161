"""The stream as it is watched from outside: where topics end, what is stored of them, and what was done in each minute."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from domain.entities.streams import StreamSource

LATENCY_BUCKETS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.015,
    0.02,
    0.03,
    0.05,
    0.075,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    300.0,
)  # upper bounds in seconds of the buckets from event to row; what lies above has a bucket without an end


@dataclass(frozen=True, slots=True)
class TopicEnds:
    """One look at a topic: per partition its first offset and the offset that the next committed record will get."""

    source: StreamSource
    first: Mapping[int, int]
    next: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class StoredStream:
    """What is stored of the newest incarnation of a topic, per partition. `moved_at` is wall time, `newest` event time."""

    source_id: int
    topic_uuid: UUID
    next: Mapping[int, int]
    published: Mapping[int, int]
    moved_at: datetime | None
    newest: datetime | None


@dataclass(frozen=True, slots=True)
class ServiceMinute:
    """One minute of wall time, as an API saw it for `seconds_seen` of its seconds.

    `latency_counts`: events in each of LATENCY_BUCKETS, and above them. `lag_events` per partition and `lag_seconds` are of
    the minute's end, and so is `event_time`, the newest pickup by then. `requests`: that the API answered.
    """

    minute: datetime
    seconds_seen: int
    received: int
    scored: int
    quarantined: int
    latency_counts: tuple[int, ...]
    lag_events: Mapping[str, int]
    lag_seconds: float
    event_time: datetime | None
    requests: int = 0
