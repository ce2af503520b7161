"""The one definition of the model's inputs; stream, batch and API call it, and nothing else computes a feature.

Every input is known at the pickup. Rows do not influence each other: the features of a trip are the same bits alone or in a
batch, which `tests` hold as a property.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from domain.entities.trips import SECOND, TIME, Times, TripColumns

Matrix = NDArray[np.float32]

DEFAULT_CITY_TIMEZONE = "America/New_York"
EARTH_RADIUS_KM = 6371.0088  # mean radius, IUGG
REVISION = 1  # raise it when a formula below changes without its name changing

FEATURES = (
    "pickup_latitude",
    "pickup_longitude",
    "dropoff_latitude",
    "dropoff_longitude",
    "distance_km",
    "manhattan_km",
    "north_km",
    "east_km",
    "bearing_sine",
    "bearing_cosine",
    "hour_of_week",
    "minute_of_day",
    "day_of_year",
    "vendor_id",
    "passenger_count",
)
CLASSIC_FEATURES = (
    "distance_km",
    "passenger_count",
    "vendor_id",
    "hour_of_day",
    "day_of_week",
    "month",
    "is_weekend",
    "is_rush_hour",
)


@dataclass(frozen=True, slots=True)
class CityClock:
    """Converts UTC to the city's local time, daylight saving nights included. Equal clocks give equal bits."""

    timezone: str = DEFAULT_CITY_TIMEZONE

    def local(self, utc: Times) -> Times:
        """Local wall-clock times (naive datetime64[us]) of UTC times, shape (n,)."""
        starts, offsets = _transitions(self.timezone)
        return utc + offsets[np.searchsorted(starts, utc, side="right") - 1]


def features_of(trips: TripColumns, clock: CityClock) -> Matrix:
    """The model's inputs, C-contiguous float32 of shape (n, len(FEATURES)), columns in the order of FEATURES."""
    local = clock.local(trips.pickup_at)
    day = local.astype("datetime64[D]")
    minute_of_day = (local - day) / SECOND / 60.0
    weekday = _weekday(day)
    day_of_year = (day - day.astype("datetime64[Y]")).astype(np.float64)
    distance, north, east = _geometry(trips)
    norm = np.maximum(np.hypot(north, east), 1e-9)
    columns = (
        trips.pickup_latitude,
        trips.pickup_longitude,
        trips.dropoff_latitude,
        trips.dropoff_longitude,
        distance,
        np.abs(north) + np.abs(east),
        north,
        east,
        east / norm,
        north / norm,
        weekday * 24.0 + np.floor(minute_of_day / 60.0),
        minute_of_day,
        day_of_year,
        trips.vendor_id,
        trips.passenger_count,
    )
    matrix = np.empty((len(trips), len(FEATURES)), dtype=np.float32)
    for position, column in enumerate(columns):
        matrix[:, position] = column
    return matrix


def classic_features_of(trips: TripColumns, clock: CityClock) -> Matrix:
    """The eight inputs of the course that tripcast replaces, shape (n, 8); a baseline for comparison, never served."""
    local = clock.local(trips.pickup_at)
    day = local.astype("datetime64[D]")
    hour = np.floor((local - day) / SECOND / 3600.0)
    weekday = _weekday(day)
    weekend = weekday >= 5  # noqa: PLR2004 - Monday is 0
    rush = ~weekend & (((hour >= 7) & (hour <= 9)) | ((hour >= 16) & (hour <= 19)))  # noqa: PLR2004 - hours of the day
    month = (day.astype("datetime64[M]") - day.astype("datetime64[Y]")).astype(np.float64) + 1.0
    distance, _, _ = _geometry(trips)
    columns = (distance, trips.passenger_count, trips.vendor_id, hour, weekday, month, weekend, rush)
    matrix = np.empty((len(trips), len(CLASSIC_FEATURES)), dtype=np.float32)
    for position, column in enumerate(columns):
        matrix[:, position] = column
    return matrix


def feature_schema(clock: CityClock) -> str:
    """Twelve hex digits that change when the inputs' names, order, formulas or city time change."""
    content = {"features": FEATURES, "revision": REVISION, "dtype": "float32", "timezone": clock.timezone}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _geometry(trips: TripColumns) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Great-circle distance (haversine), and the displacement north and east, in km."""
    latitude_a, latitude_b = np.radians(trips.pickup_latitude), np.radians(trips.dropoff_latitude)
    d_latitude = latitude_b - latitude_a
    d_longitude = np.radians(trips.dropoff_longitude) - np.radians(trips.pickup_longitude)
    half = np.sin(d_latitude / 2) ** 2 + np.cos(latitude_a) * np.cos(latitude_b) * np.sin(d_longitude / 2) ** 2
    distance = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.minimum(half, 1.0)))
    north = EARTH_RADIUS_KM * d_latitude
    east = EARTH_RADIUS_KM * d_longitude * np.cos((latitude_a + latitude_b) / 2)
    return distance, north, east


def _weekday(day: NDArray[np.datetime64]) -> NDArray[np.float64]:
    """Monday is 0; 1970-01-01 was a Thursday."""
    return np.asarray((day.astype(np.int64) + 3) % 7, dtype=np.float64)


@cache
def _transitions(timezone: str) -> tuple[Times, NDArray[np.timedelta64]]:
    """UTC instants at which the zone's offset changes, 1970 to 2100, and the offset from each on."""
    zone = ZoneInfo(timezone)
    first, last = datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
    starts, offsets = [first], [_offset(first, zone)]
    day = first
    while day < last:
        following = day + timedelta(days=1)
        if _offset(following, zone) != offsets[-1]:
            starts.append(_change(day, following, zone))
            offsets.append(_offset(following, zone))
        day = following
    instants = np.array([start.replace(tzinfo=None) for start in starts], dtype=TIME)
    instants[0] = np.datetime64("0001-01-01", "us")  # the first offset also stands for everything before 1970
    return instants, np.array(offsets, dtype="timedelta64[us]")


def _change(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The first instant, to the second, at which the offset is the one of `after`."""
    while after - before > timedelta(seconds=1):
        middle = before + (after - before) // 2
        middle = middle.replace(microsecond=0)
        before, after = (before, middle) if _offset(middle, zone) == _offset(after, zone) else (middle, after)
    return after


def _offset(instant: datetime, zone: ZoneInfo) -> timedelta:
    return instant.astimezone(zone).utcoffset() or timedelta()
