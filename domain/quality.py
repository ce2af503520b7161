"""Which trips can be true: the one set of rules for files, events and requests, vectorised."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from domain.entities import canaries
from domain.entities.rejections import Reason
from domain.entities.trips import CompletionColumns, Floats, TripColumns

Verdicts = NDArray[np.object_]

MAX_PASSENGERS = 9
MAX_TRIP_ID_LENGTH = 64
MAX_DURATION_SECONDS = 24 * 3600.0
TRAINING_DURATION_SECONDS = (60.0, 2 * 3600.0)  # outside it the meter, not the city, made the duration


@dataclass(frozen=True, slots=True)
class ServiceArea:
    """The box that trips must stay in, degrees WGS84; the default holds New York City."""

    south: float = 40.5
    north: float = 41.0
    west: float = -74.3
    east: float = -73.7

    def contains(self, latitude: Floats, longitude: Floats) -> NDArray[np.bool_]:
        """Mask of shape (n,); borders are inside, NaN is outside."""
        return np.asarray(
            (latitude >= self.south) & (latitude <= self.north) & (longitude >= self.west) & (longitude <= self.east)
        )

    def reaches_zero(self) -> bool:
        """Whether a place inside may have a coordinate that is zero, which elsewhere stands for an unknown one."""
        return self.south <= 0 <= self.north or self.west <= 0 <= self.east

    def canary_route(self) -> canaries.Route:
        """Where canary trips go."""
        return canaries.route_within(self.south, self.north, self.west, self.east)


@dataclass(frozen=True, slots=True)
class TripRules:
    """Judges trips and completions. `service_began` and `future_tolerance` bound the pickup."""

    area: ServiceArea = ServiceArea()
    service_began: datetime = datetime(2009, 1, 1, tzinfo=UTC)
    future_tolerance: timedelta = timedelta(days=1)

    def judge_started(self, trips: TripColumns, now: datetime) -> Verdicts:
        """Shape (n,) of Reason or None; the first rule that a trip breaks names it."""
        inside = self.area.contains(trips.pickup_latitude, trips.pickup_longitude)
        inside &= self.area.contains(trips.dropoff_latitude, trips.dropoff_longitude)
        return _first(
            len(trips),
            (Reason.TRIP_ID_INVALID, _bad_ids(trips.trip_id)),
            (Reason.TRIP_ID_RESERVED, self._impostors(trips)),
            (Reason.VENDOR_INVALID, trips.vendor_id < 0),  # 0 is a vendor that nobody stated
            (Reason.PASSENGER_COUNT_INVALID, (trips.passenger_count < 0) | (trips.passenger_count > MAX_PASSENGERS)),
            (Reason.COORDINATES_MISSING, self._placeless(trips, inside)),
            (Reason.OUTSIDE_SERVICE_AREA, ~inside),
            (Reason.PICKUP_TIME_IMPLAUSIBLE, self._implausible(trips.pickup_at, now)),
        )

    def judge_completed(self, trips: CompletionColumns, now: datetime) -> Verdicts:
        """Shape (n,) of Reason or None."""
        duration = trips.duration_seconds
        return _first(
            len(trips),
            (Reason.TRIP_ID_INVALID, _bad_ids(trips.trip_id)),
            (Reason.TRIP_ID_RESERVED, _or_none(canaries.named_so(trips.trip_id), len(trips))),  # a canary never ends
            (Reason.PICKUP_TIME_IMPLAUSIBLE, self._implausible(trips.pickup_at, now)),
            (Reason.DURATION_NOT_POSITIVE, duration <= 0),
            (Reason.DURATION_OVER_24_HOURS, duration > MAX_DURATION_SECONDS),
        )

    def judge_whole(self, trips: TripColumns, completions: CompletionColumns, now: datetime) -> Verdicts:
        """Shape (n,) of Reason or None, for trips whose end is known, row by row; the start's verdict goes before the end's."""
        started, completed = self.judge_started(trips, now), self.judge_completed(completions, now)
        return np.where(started == None, completed, started)  # noqa: E711 - elementwise

    def _placeless(self, trips: TripColumns, inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Trips with a coordinate that is zero or no number; an area without such a place tells at once if all are inside."""
        if np.count_nonzero(inside) == len(trips) and not self.area.reaches_zero():
            return ~inside
        missing = np.zeros(len(trips), dtype=np.bool_)
        for column in (trips.pickup_latitude, trips.pickup_longitude, trips.dropoff_latitude, trips.dropoff_longitude):
            missing |= (column == 0) | ~np.isfinite(column)
        return missing

    def _impostors(self, trips: TripColumns) -> NDArray[np.bool_]:
        """Trips that are named as a canary and are not as a canary is."""
        named = canaries.named_so(trips.trip_id)
        return _or_none(named if named is None else named & ~canaries.goes(trips, self.area.canary_route()), len(trips))

    def _implausible(self, pickup_at: NDArray[np.datetime64], now: datetime) -> NDArray[np.bool_]:
        earliest = np.datetime64(self.service_began.astimezone(UTC).replace(tzinfo=None), "us")
        latest = np.datetime64((now + self.future_tolerance).astimezone(UTC).replace(tzinfo=None), "us")
        return np.asarray(~((pickup_at >= earliest) & (pickup_at <= latest)))  # NaT is neither


def fit_for_training(duration_seconds: Floats) -> NDArray[np.bool_]:
    """Mask of shape (n,): durations that the city made, from 60 s to 2 h."""
    shortest, longest = TRAINING_DURATION_SECONDS
    return np.asarray((duration_seconds >= shortest) & (duration_seconds <= longest))


def _or_none(mask: NDArray[np.bool_] | None, count: int) -> NDArray[np.bool_]:
    return np.zeros(count, dtype=np.bool_) if mask is None else mask


def _bad_ids(trip_ids: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Also what PostgreSQL cannot store as text: NUL."""
    bad = (not 0 < len(trip_id) <= MAX_TRIP_ID_LENGTH or "\0" in trip_id for trip_id in trip_ids)
    return np.fromiter(bad, np.bool_, len(trip_ids))


def _first(count: int, *rules: tuple[Reason, NDArray[np.bool_]]) -> Verdicts:
    verdicts = np.full(count, None, dtype=object)
    for reason, broken in reversed(rules):
        if np.count_nonzero(broken):  # a fifth of what `any` costs a single trip
            verdicts[broken] = reason
    return verdicts
