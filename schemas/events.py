"""The events on Kafka, as frozen versioned types; producers and consumers both import them.

A field is never changed or removed: an incompatible change is a new version with a new class, and the old one stays decodable.
"""

from datetime import datetime
from typing import Annotated

import msgspec

TripId = Annotated[str, msgspec.Meta(min_length=1, max_length=64, description="Unique id of the trip; also the record's key.")]
Instant = Annotated[datetime, msgspec.Meta(tz=True, description="RFC 3339 with an offset.")]
Latitude = Annotated[float, msgspec.Meta(ge=-90, le=90, description="Degrees, WGS84.")]
Longitude = Annotated[float, msgspec.Meta(ge=-180, le=180, description="Degrees, WGS84.")]
Small = Annotated[int, msgspec.Meta(ge=-32768, le=32767)]


class Point(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """A place on the map."""

    latitude: Latitude
    longitude: Longitude


class TripStarted(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False, tag_field="type", tag="trip.started.v1"):
    """A trip has begun: everything that is known at the pickup, and nothing that is known only later."""

    trip_id: TripId
    vendor_id: Small
    passenger_count: Small
    pickup_at: Instant
    pickup: Point
    dropoff: Point


class TripCompleted(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False, tag_field="type", tag="trip.completed.v1"
):
    """A trip has ended."""

    trip_id: TripId
    pickup_at: Instant
    dropoff_at: Instant


class TripPredicted(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False, tag_field="type", tag="trip.predicted.v1"
):
    """How long a started trip will take, with a nominal 90% interval. The same row always gives the same bytes."""

    trip_id: TripId
    duration_seconds: float
    lower_seconds: float
    upper_seconds: float
    model_version: int
    feature_schema: str
    scored_at: Instant
    partition: Annotated[int, msgspec.Meta(description="Partition of the trip.started record in trip-events.")]
    offset: Annotated[int, msgspec.Meta(description="Offset of the trip.started record in trip-events.")]


class LifecycleChanged(msgspec.Struct, frozen=True, gc=False, tag_field="type", tag="lifecycle.v1"):
    """Something happened to a model: retraining.requested, retraining.finished, model.promoted, model.rolled_back."""

    kind: str
    subject: str
    actor: str
    reason: str
    at: Instant


class SignalSpan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Committed records [first_offset, next_offset) of one partition."""

    partition: int
    first_offset: int
    next_offset: int
    newest_us: Annotated[
        int | None,
        msgspec.Meta(description="Newest pickup or dropoff of its rows, microseconds since 1970, UTC; null: no row."),
    ]
    caught_up: Annotated[bool, msgspec.Meta(description="Whether the partition had no more records when this was said.")]


class QualitySignal(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False, tag_field="type", tag="quality.signal.v1"
):
    """What a worker has committed, as sums that add up in any order. Its spans tell a repeat and a gap from what comes next."""

    source_id: int
    spans: list[SignalSpan]
    tally: Annotated[dict[str, list[list[int]]], msgspec.Meta(description="Sums by kind, column by column.")]
    champion: Annotated[int, msgspec.Meta(description="Version that scored last; 0: none did.")]
    shadow: Annotated[int, msgspec.Meta(description="Version that shadowed it; 0: none did.")]
    worker: str


TripEvent = TripStarted | TripCompleted
EVENTS: tuple[type[msgspec.Struct], ...] = (TripStarted, TripCompleted, TripPredicted, LifecycleChanged, QualitySignal)
