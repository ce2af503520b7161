"""Turn trips that began and trips that ended into the sums of `domain.sums`."""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from domain.areas import AreaGrid
from domain.entities.predictions import PredictionColumns
from domain.entities.trips import SECOND, TIME, Columns, Floats, Shorts, Strings, Times, TripColumns
from domain.features import distance_km_of
from domain.sums import CHAMPION, DROPOFF, MICRO, PICKUP, SHADOW, Cells, Flows, Inputs, Integers, Pairs, Places, Tally

MINUTE = np.timedelta64(60_000_000, "us")
NO_VERSION = 0
LOSS_CAP_SECONDS = 1800.0  # a pair's loss is |error| up to here, as a share of it
DURATION_BINS_SECONDS = (120.0, 180.0, 240.0, 320.0, 420.0, 540.0, 680.0, 860.0, 1100.0, 1400.0, 1800.0, 2400.0, 3600.0)
FLOW_HORIZON_SECONDS = 2 * 3600.0  # completions of longer trips are left out of the flows
LATE_SECONDS = (1200.0, 6 * 3600.0)  # a start so far behind the newest one before it is called late; further: that one is wrong
SHORTEST_KM = 0.05  # below it the logarithm says more about the meter than about the trip


@dataclass(frozen=True, slots=True, eq=False)
class ScoredTrips(Columns):
    """Started trips with the champion's prediction and, where `shadow_version` is not NO_VERSION, the shadow's. Shape (n,).

    area, dropoff_area: cells of the pickup and of where the trip leads. log_km: natural logarithm of the distance in km,
    float64. Durations: float32 seconds.
    """

    trip_id: Strings
    pickup_at: Times
    area: Shorts
    dropoff_area: Shorts
    vendor_id: Shorts
    log_km: Floats
    no_passengers: NDArray[np.bool_]
    version: NDArray[np.int32]
    duration_seconds: NDArray[np.float32]
    lower_seconds: NDArray[np.float32]
    upper_seconds: NDArray[np.float32]
    shadow_version: NDArray[np.int32]
    shadow_duration_seconds: NDArray[np.float32]
    shadow_lower_seconds: NDArray[np.float32]
    shadow_upper_seconds: NDArray[np.float32]

    @classmethod
    def empty(cls) -> "ScoredTrips":
        """No trip."""
        seconds = (np.int32, np.float32, np.float32, np.float32)
        dtypes = (object, TIME, *(np.int16,) * 3, np.float64, np.bool_, *seconds, *seconds)
        return cls(*(np.empty(0, dtype=dtype) for dtype in dtypes))


def scored_trips(
    trips: TripColumns,
    predictions: PredictionColumns,
    version: int,
    grid: AreaGrid,
    shadow: tuple[int, PredictionColumns] | None = None,
) -> ScoredTrips:
    """Put together what a batch knows. `predictions`, and those of `shadow` with its version, are of `trips`, row by row."""
    count = len(trips)
    shadow_version, shadowed = shadow or (NO_VERSION, predictions)
    return ScoredTrips(
        trip_id=trips.trip_id,
        pickup_at=trips.pickup_at,
        area=grid.of(trips.pickup_latitude, trips.pickup_longitude),
        dropoff_area=grid.of(trips.dropoff_latitude, trips.dropoff_longitude),
        vendor_id=trips.vendor_id,
        log_km=np.log(np.maximum(distance_km_of(trips), SHORTEST_KM)),
        no_passengers=trips.passenger_count == 0,
        version=np.full(count, version, dtype=np.int32),
        duration_seconds=predictions.duration_seconds,
        lower_seconds=predictions.lower_seconds,
        upper_seconds=predictions.upper_seconds,
        shadow_version=np.full(count, shadow_version, dtype=np.int32),
        shadow_duration_seconds=shadowed.duration_seconds,
        shadow_lower_seconds=shadowed.lower_seconds,
        shadow_upper_seconds=shadowed.upper_seconds,
    )


def tally_of(
    started: ScoredTrips,
    settled: ScoredTrips,
    dropoff_at: Times,
    refused: int = 0,
    newest: np.datetime64 | None = None,
) -> Tally:
    """Tally trips that have begun, trips that have ended (`dropoff_at`, row by row), and refused events.

    `newest` is the latest pickup of this partition before these trips: it places the refused, and tells who is late.
    """
    seen = newest if newest is not None else (started.pickup_at.max() if len(started) else None)
    refused_at = np.full(refused, seen, dtype=TIME) if seen is not None else np.empty(0, dtype=TIME)
    return tally_placed(started, settled, dropoff_at, late_of(started.pickup_at, newest), refused_at)


def tally_placed(started: ScoredTrips, settled: ScoredTrips, dropoff_at: Times, late: Integers, refused_at: Times) -> Tally:
    """The same for trips of several partitions: `late` tells who is, row by row; `refused_at` has a place for each refused.

    The place of a refused event is the newest pickup of its partition before it.
    """
    return Tally(
        cells=Cells.summed(_cells(started, settled, dropoff_at)),
        pairs=_pairs(settled, dropoff_at),
        flows=Flows.summed(_flows(started, settled, dropoff_at)),
        inputs=Inputs.summed(_inputs(started, late, refused_at)),
        places=Places.summed(_places(started)),
    )


def late_of(pickup_at: Times, newest: np.datetime64 | None) -> Integers:
    """1 where a trip is far behind the newest one before it, else 0; shape (n,), in the order of one partition."""
    if not len(pickup_at):
        return np.empty(0, dtype=np.int64)
    before = np.maximum.accumulate(pickup_at)
    if newest is not None:
        before = np.maximum(before, newest)
    behind = (before - pickup_at) / SECOND
    return ((behind > LATE_SECONDS[0]) & (behind <= LATE_SECONDS[1])).astype(np.int64)


def minute_of(times: Times) -> Integers:
    """Whole minutes since 1970, shape (n,)."""
    return times.astype("datetime64[m]").astype(np.int64)


def _cells(started: ScoredTrips, settled: ScoredTrips, dropoff_at: Times) -> list[Cells]:
    parts = []
    for role in (CHAMPION, SHADOW):
        begun, ended = (started, settled) if role == CHAMPION else (_shadowed(started), _shadowed(settled))
        if len(begun):
            parts.append(_cell_rows(begun, role, started=np.ones(len(begun), dtype=np.int64)))
        if len(ended):
            at = dropoff_at if role == CHAMPION else dropoff_at[settled.shadow_version != NO_VERSION]
            parts.append(_cell_rows(ended, role, **_errors(ended, role, at)))
    return parts


def _shadowed(trips: ScoredTrips) -> ScoredTrips:
    return trips.take(trips.shadow_version != NO_VERSION)


def _cell_rows(trips: ScoredTrips, role: int, **sums: Integers) -> Cells:
    nothing = np.zeros(len(trips), dtype=np.int64)
    keys = (
        minute_of(trips.pickup_at),
        np.full(len(trips), role, dtype=np.int64),
        (trips.version if role == CHAMPION else trips.shadow_version).astype(np.int64),
        trips.area.astype(np.int64),
        trips.vendor_id.astype(np.int64),
    )
    columns = (sums.get(field.name, nothing) for field in fields(Cells)[Cells.KEYS :])
    return Cells(*keys, *columns)


def _errors(trips: ScoredTrips, role: int, dropoff_at: Times) -> dict[str, Integers]:
    predicted, lower, upper = (
        (trips.duration_seconds, trips.lower_seconds, trips.upper_seconds)
        if role == CHAMPION
        else (trips.shadow_duration_seconds, trips.shadow_lower_seconds, trips.shadow_upper_seconds)
    )
    actual = _actual(trips, dropoff_at)
    error = np.rint((predicted.astype(np.float64) - actual) * 10).astype(np.int64)
    log_ratio = np.log(np.maximum(actual, 1.0) / np.maximum(predicted, 1.0).astype(np.float64))
    return {
        "settled": np.ones(len(trips), dtype=np.int64),
        "error": error,
        "abs_error": np.abs(error),
        "square_error": error * error,
        "log_ratio": _micro(log_ratio),
        "square_log_ratio": _micro(log_ratio * log_ratio),
        "covered": ((actual >= lower) & (actual <= upper)).astype(np.int64),
    }


def _pairs(settled: ScoredTrips, dropoff_at: Times) -> Pairs:
    both = settled.shadow_version != NO_VERSION
    trips, actual = settled.take(both), _actual(settled, dropoff_at)[both]
    if not len(trips):
        return Pairs.empty()
    difference = _loss(trips.duration_seconds, actual) - _loss(trips.shadow_duration_seconds, actual)
    return Pairs(
        minute_of(trips.pickup_at),
        trips.version.astype(np.int64),
        trips.shadow_version.astype(np.int64),
        np.ones(len(trips), dtype=np.int64),
        _micro(difference),
        _micro(difference * difference),
    ).added()


def _loss(predicted: NDArray[np.float32], actual: Floats) -> Floats:
    return np.minimum(np.abs(predicted.astype(np.float64) - actual), LOSS_CAP_SECONDS) / LOSS_CAP_SECONDS


def _flows(started: ScoredTrips, settled: ScoredTrips, dropoff_at: Times) -> list[Flows]:
    parts = []
    if len(started):
        one, none = np.ones(len(started), dtype=np.int64), np.zeros(len(started), dtype=np.int64)
        parts.append(Flows(minute_of(started.pickup_at), duration_bin(started.duration_seconds), one, none))
    soon = _actual(settled, dropoff_at) < FLOW_HORIZON_SECONDS
    if soon.any():
        ended = settled.take(soon)
        one, none = np.ones(len(ended), dtype=np.int64), np.zeros(len(ended), dtype=np.int64)
        parts.append(Flows(minute_of(dropoff_at[soon]), duration_bin(ended.duration_seconds), none, one))
    return parts


def duration_bin(seconds: NDArray[np.float32]) -> Integers:
    """Position among DURATION_BINS_SECONDS, shape (n,)."""
    return np.searchsorted(np.array(DURATION_BINS_SECONDS, dtype=np.float32), seconds, side="right").astype(np.int64)


def _inputs(started: ScoredTrips, late: Integers, refused_at: Times) -> list[Inputs]:
    parts = []
    if len(started):
        one = np.ones(len(started), dtype=np.int64)
        log_km = started.log_km
        parts.append(
            Inputs(
                minute_of(started.pickup_at),
                one,
                _micro(log_km),
                _micro(log_km * log_km),
                started.no_passengers.astype(np.int64),
                np.zeros(len(started), dtype=np.int64),
                late,
            )
        )
    if len(refused_at):
        none, one = np.zeros(len(refused_at), dtype=np.int64), np.ones(len(refused_at), dtype=np.int64)
        parts.append(Inputs(minute_of(refused_at), none, none, none, none, one, none))
    return parts


def _places(started: ScoredTrips) -> list[Places]:
    if not len(started):
        return []
    minute, one = minute_of(started.pickup_at), np.ones(len(started), dtype=np.int64)
    predicted = np.rint(started.duration_seconds.astype(np.float64) * 10).astype(np.int64)
    ends = ((PICKUP, started.area), (DROPOFF, started.dropoff_area))
    return [Places(minute, np.full(len(started), end), area.astype(np.int64), one, predicted) for end, area in ends]


def _actual(trips: ScoredTrips, dropoff_at: Times) -> Floats:
    return np.asarray((dropoff_at - trips.pickup_at) / SECOND, dtype=np.float64)


def _micro(values: Floats) -> Integers:
    return np.rint(values * MICRO).astype(np.int64)
