"""Trips for tests: random but seeded, or one at a time, inside New York's box."""

from datetime import UTC, datetime
from typing import Any

import numpy as np

from domain.entities.trips import SECOND, TIME, TripColumns


def random_trips(count: int, seed: int = 0, first: str = "2016-01-01T00:00:00", days: int = 180) -> TripColumns:
    rng = np.random.default_rng(seed)
    start = np.datetime64(first, "us")
    return TripColumns(
        trip_id=np.array([f"t{seed}-{number}" for number in range(count)], dtype=object),
        vendor_id=rng.integers(1, 3, count).astype(np.int16),
        passenger_count=rng.integers(0, 7, count).astype(np.int16),
        pickup_at=(start + rng.integers(0, days * 86_400, count) * SECOND).astype(TIME),
        pickup_latitude=rng.uniform(40.6, 40.9, count),
        pickup_longitude=rng.uniform(-74.05, -73.75, count),
        dropoff_latitude=rng.uniform(40.6, 40.9, count),
        dropoff_longitude=rng.uniform(-74.05, -73.75, count),
    )


def one_trip(**changes: object) -> TripColumns:
    """One valid trip with some columns changed; a `pickup_at` may be an aware datetime."""
    trip = {
        "trip_id": "t1",
        "vendor_id": 1,
        "passenger_count": 1,
        "pickup_at": np.datetime64("2016-03-01T17:00:00", "us"),
        "pickup_latitude": 40.75,
        "pickup_longitude": -73.98,
        "dropoff_latitude": 40.77,
        "dropoff_longitude": -73.87,
    } | changes
    if isinstance(pickup := trip["pickup_at"], datetime):
        trip["pickup_at"] = np.datetime64(pickup.astimezone(UTC).replace(tzinfo=None), "us")
    dtypes: tuple[Any, ...] = (object, np.int16, np.int16, TIME, float, float, float, float)
    return TripColumns(*(np.array([value], dtype=dtype) for value, dtype in zip(trip.values(), dtypes, strict=True)))
