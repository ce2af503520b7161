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

from domain.entities.trips import SECOND, TIME, Floats, Times, TripColumns
from domain.holidays import SATURDAY, is_holiday, month_of, weekday_of

Matrix = NDArray[np.float32]
Column = NDArray[np.floating] | NDArray[np.integer] | NDArray[np.bool_]

DEFAULT_CITY_TIMEZONE = "America/New_York"
EARTH_RADIUS_KM = 6371.0088  # mean radius, IUGG
REVISION = 3  # raise it when a formula below changes without its name changing

# The bearing of Manhattan's avenues. Streets follow it, so distances along and across it are closer to the driven ones. In a
# city without such a grid it does no harm: a rotation loses nothing.
GRID_BEARING_DEGREES = 29.0
GRID_ORIGIN = (40.75, -73.97)  # degrees; keeps the numbers small, so that float32 holds them to centimetres

# Worked out once rather than in each call.
_BEARING_COSINE, _BEARING_SINE, _ORIGIN_COSINE = (
    float(function(np.radians(degrees)))
    for function, degrees in ((np.cos, GRID_BEARING_DEGREES), (np.sin, GRID_BEARING_DEGREES), (np.cos, GRID_ORIGIN[0]))
)

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
    "pickup_along_km",
    "pickup_across_km",
    "dropoff_along_km",
    "dropoff_across_km",
    "along_km",
    "across_km",
    "blocks_along_km",
    "blocks_across_km",
    "grid_km",
    "middle_along_km",
    "middle_across_km",
    "hour_of_week",
    "minute_of_day",
    "minute_of_week",
    "day_of_week",
    "is_holiday",
    "is_day_off",
    "month",
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
        return utc + offsets[starts.searchsorted(utc, side="right") - 1]


def features_of(trips: TripColumns, clock: CityClock) -> Matrix:
    """The model's inputs, C-contiguous float32 of shape (n, len(FEATURES)), columns in the order of FEATURES."""
    places = (trips.pickup_latitude, trips.pickup_longitude, trips.dropoff_latitude, trips.dropoff_longitude)
    rest = (trips.vendor_id, trips.passenger_count)
    return _matrix(*places, *_displacement_columns(trips), *_grid_columns(trips), *_time_columns(trips, clock), *rest)


def classic_features_of(trips: TripColumns, clock: CityClock) -> Matrix:
    """The eight inputs of the course that tripcast replaces, shape (n, 8); a baseline for comparison, never served."""
    local = clock.local(trips.pickup_at)
    day = local.astype("datetime64[D]")
    hour = np.floor((local - day) / SECOND / 3600.0)
    weekday, month = weekday_of(day), month_of(day)
    weekend = weekday >= SATURDAY
    rush = ~weekend & (((hour >= 7) & (hour <= 9)) | ((hour >= 16) & (hour <= 19)))  # noqa: PLR2004 - hours of the day
    distance, _, _ = _geometry(trips)
    return _matrix(distance, trips.passenger_count, trips.vendor_id, hour, weekday, month, weekend, rush)


def distance_km_of(trips: TripColumns) -> Floats:
    """Great-circle distances in km, shape (n,): the input of that name before it is rounded to float32."""
    return _geometry(trips)[0]


def feature_schema(clock: CityClock) -> str:
    """Twelve hex digits that change when the inputs' names, order, formulas or city time change."""
    content = {"features": FEATURES, "revision": REVISION, "dtype": "float32", "timezone": clock.timezone}
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:12]


def _displacement_columns(trips: TripColumns) -> tuple[Column, ...]:
    distance, north, east = _geometry(trips)
    norm = np.maximum(np.hypot(north, east), 1e-9)
    return distance, np.abs(north) + np.abs(east), north, east, east / norm, north / norm


def _grid_columns(trips: TripColumns) -> tuple[Column, ...]:
    """Both ends, the way between them, and its middle, in km along and across the avenues."""
    along_a, across_a = _on_grid(trips.pickup_latitude, trips.pickup_longitude)
    along_b, across_b = _on_grid(trips.dropoff_latitude, trips.dropoff_longitude)
    along, across = along_b - along_a, across_b - across_a
    blocks = (np.abs(along), np.abs(across))
    middle = ((along_a + along_b) / 2, (across_a + across_b) / 2)
    return along_a, across_a, along_b, across_b, along, across, *blocks, blocks[0] + blocks[1], *middle


def _time_columns(trips: TripColumns, clock: CityClock) -> tuple[Column, ...]:
    """In the city's local time. The month rather than the day of the year: what one day taught does not hold for the next."""
    local = clock.local(trips.pickup_at)
    day = local.astype("datetime64[D]")
    minute_of_day = (local - day) / SECOND / 60.0
    weekday, holiday = weekday_of(day), is_holiday(day)
    hour_of_week = weekday * 24.0 + np.floor(minute_of_day / 60.0)
    day_off = holiday | (weekday >= SATURDAY)
    return hour_of_week, minute_of_day, weekday * 1440.0 + minute_of_day, weekday, holiday, day_off, month_of(day)


def _on_grid(latitude: Floats, longitude: Floats) -> tuple[Floats, Floats]:
    """Kilometres along and across the avenues from GRID_ORIGIN, on a plane that touches there."""
    north = EARTH_RADIUS_KM * np.radians(latitude - GRID_ORIGIN[0])
    east = EARTH_RADIUS_KM * np.radians(longitude - GRID_ORIGIN[1]) * _ORIGIN_COSINE
    return north * _BEARING_COSINE + east * _BEARING_SINE, east * _BEARING_COSINE - north * _BEARING_SINE


def _matrix(*columns: Column) -> Matrix:
    matrix = np.empty((len(columns[0]), len(columns)), dtype=np.float32)
    for position, column in enumerate(columns):
        matrix[:, position] = column
    return matrix


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
