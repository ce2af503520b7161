"""Write trips as the events that producers publish: keys and values, ready for `RecordProducer.publish`."""

from datetime import UTC, datetime

import msgspec

from domain.entities.trips import CompletionColumns, Times, TripColumns
from schemas.events import Point, TripCompleted, TripStarted

_encode = msgspec.json.Encoder().encode


def encode_started(trips: TripColumns) -> list[bytes]:
    """A `trip.started.v1` event for each trip, in order."""
    rows = zip(
        trips.trip_id,
        trips.vendor_id.tolist(),
        trips.passenger_count.tolist(),
        _instants(trips.pickup_at),
        trips.pickup_latitude.tolist(),
        trips.pickup_longitude.tolist(),
        trips.dropoff_latitude.tolist(),
        trips.dropoff_longitude.tolist(),
        strict=True,
    )
    return [
        _encode(TripStarted(trip_id, vendor, passengers, at, Point(a_latitude, a_longitude), Point(b_latitude, b_longitude)))
        for trip_id, vendor, passengers, at, a_latitude, a_longitude, b_latitude, b_longitude in rows
    ]


def encode_completed(trips: CompletionColumns) -> list[bytes]:
    """A `trip.completed.v1` event for each trip, in order."""
    rows = zip(trips.trip_id, _instants(trips.pickup_at), _instants(trips.dropoff_at), strict=True)
    return [_encode(TripCompleted(trip_id, pickup_at, dropoff_at)) for trip_id, pickup_at, dropoff_at in rows]


def _instants(times: Times) -> list[datetime]:
    return [time.replace(tzinfo=UTC) for time in times.astype("datetime64[us]").tolist()]
