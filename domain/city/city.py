"""Generate the trips of the simulated city: any minute of it, or a history of it, always the same for the same seed."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.city.dirt import Meter, soil
from domain.city.driving import driving_seconds
from domain.city.geography import places_in, street_km
from domain.city.rhythm import demand, destinations, hour_of_week, origins
from domain.entities.trips import TIME, CompletionColumns, Floats, Times, TripColumns
from domain.features import CityClock

MINUTE = np.timedelta64(60_000_000, "us")
HOUR = np.timedelta64(3_600_000_000, "us")
DAY = np.timedelta64(86_400_000_000, "us")
CHANCES = 8  # uniform numbers that each trip carries for what may befall it later: see cli/sources
_PASSENGERS = np.cumsum([0.705, 0.145, 0.042, 0.020, 0.053, 0.035])
_VENDOR_1 = 0.466
_LIVE, _HISTORY, _WEATHER = 1, 2, 3  # separate streams of random numbers


@dataclass(frozen=True, slots=True, eq=False)
class CityTrips:
    """Trips in pickup order with their true ends.

    `area`: position in AREAS of the pickup, shape (n,). `chance`: uniform numbers, shape (n, CHANCES).
    """

    trips: TripColumns
    completions: CompletionColumns
    area: NDArray[np.intp]
    chance: Floats


@dataclass(frozen=True, slots=True)
class City:
    """A city is its seed. `clock` gives it its local time."""

    seed: int
    clock: CityClock

    def minute(self, start: np.datetime64, trips_per_second: float) -> CityTrips:
        """The trips that begin in the minute from `start` (UTC) on, at that mean rate over the week, in city time."""
        number = int(start.astype("datetime64[m]").astype(np.int64))
        rng = np.random.default_rng([self.seed, _LIVE, number])
        hour = hour_of_week(self.clock.local(np.array([start], dtype=TIME)))[0]
        count = int(rng.poisson(trips_per_second * 60.0 * demand()[hour]))
        pickup = start + np.sort(rng.integers(0, 60_000_000, count)).astype("timedelta64[us]")
        return self._trips(rng, pickup.astype(TIME), f"sim-{self.seed}-{number}")

    def history(self, count: int, until: np.datetime64, days: int) -> Iterator[CityTrips]:
        """`count` trips spread over the days before `until` (UTC) as the week's rhythm has it, a day at a time."""
        first = until - days * DAY
        hours = (first + np.arange(days * 24) * HOUR).astype(TIME)
        share = demand()[hour_of_week(self.clock.local(hours))]
        counts = np.random.default_rng([self.seed, _HISTORY, count, days]).multinomial(count, share / share.sum())
        for day in range(days):
            number = int((first + day * DAY).astype("datetime64[m]").astype(np.int64))
            rng = np.random.default_rng([self.seed, _HISTORY, number])
            hour = np.repeat(np.arange(24), counts[day * 24 : (day + 1) * 24])
            within = hour * HOUR + rng.integers(0, 3_600_000_000, len(hour)).astype("timedelta64[us]")
            yield self._trips(rng, (first + day * DAY + np.sort(within)).astype(TIME), f"sim-{self.seed}-h{number}")

    def _trips(self, rng: np.random.Generator, pickup_at: Times, prefix: str) -> CityTrips:
        count = len(pickup_at)
        local = self.clock.local(pickup_at)
        hour = hour_of_week(local)
        area = _drawn(origins()[hour], rng.random(count))
        target = _drawn(destinations()[hour, area], rng.random(count))
        start = places_in(area, rng.standard_normal((count, 2)))
        end = places_in(target, rng.standard_normal((count, 2)))
        way = street_km(start, end, area, target)
        seconds = driving_seconds(way, (area, target), hour, rng.standard_normal((count, 2)), self._weather(local))
        meter = Meter(
            vendor_id=np.where(rng.random(count) < _VENDOR_1, 1, 2).astype(np.int16),
            passenger_count=(1 + np.searchsorted(_PASSENGERS[:-1], rng.random(count))).astype(np.int16),
            pickup_latitude=start.latitude,
            pickup_longitude=start.longitude,
            dropoff_latitude=end.latitude,
            dropoff_longitude=end.longitude,
            duration_seconds=seconds,
        )
        soil(meter, rng.random((count, 2)))
        return _city_trips(meter, pickup_at, prefix, area, rng.random((count, CHANCES)))

    def _weather(self, local: Times) -> Floats:
        """Shape (n,): one standard normal draw for each local day."""
        days, place = np.unique(local.astype("datetime64[D]").astype(np.int64), return_inverse=True)
        draws = [np.random.default_rng([self.seed, _WEATHER, int(day)]).standard_normal() for day in days.tolist()]
        return np.array(draws, dtype=np.float64)[place]


def _drawn(cumulated: Floats, chance: Floats) -> NDArray[np.intp]:
    """Shape (n,): the area whose stretch of the cumulated chances, shape (n, areas), each uniform number falls into."""
    return np.asarray((chance[:, None] >= cumulated[:, :-1]).sum(axis=1), dtype=np.intp)


def _city_trips(meter: Meter, pickup_at: Times, prefix: str, area: NDArray[np.intp], chance: Floats) -> CityTrips:
    trip_id = np.array([f"{prefix}-{number}" for number in range(len(pickup_at))], dtype=object)
    pickup_at = pickup_at.astype("datetime64[s]").astype(TIME)  # meters count whole seconds
    seconds = np.maximum(np.rint(meter.duration_seconds), 1.0).astype(np.int64)
    trips = TripColumns(
        trip_id,
        meter.vendor_id,
        meter.passenger_count,
        pickup_at,
        meter.pickup_latitude,
        meter.pickup_longitude,
        meter.dropoff_latitude,
        meter.dropoff_longitude,
    )
    return CityTrips(trips, CompletionColumns(trip_id, pickup_at, pickup_at + seconds.astype("timedelta64[s]")), area, chance)
