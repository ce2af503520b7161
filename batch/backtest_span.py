"""Which trips of some files a backtest lives through, in which order, and where it begins."""

import numpy as np

from domain.entities.trips import Times, TripColumns
from domain.errors import NotEnoughTrips
from domain.evaluation import Rows
from domain.features import CityClock

START_MONTHS = 2  # of the files make the first model
LEAST_DAY_SHARE = 0.05  # of the median day's trips: a day at either end with fewer holds strays with wrong clocks


def straight(trips: TripColumns, clock: CityClock) -> Rows:
    """Rows in order of pickup, then id, each id once, without strays before the first and after the last real day."""
    _, first = np.unique(trips.trip_id.astype(str), return_index=True)
    rows = np.sort(first)
    rows = rows[_real_days(clock.local(trips.pickup_at[rows]))]
    return rows[np.lexsort((trips.trip_id[rows].astype(str), trips.pickup_at[rows]))]


def month_after(pickup_at: Times, clock: CityClock, months: int) -> np.datetime64:
    """The first pickup, UTC, that is so many local months after the month of the first; times in order, shape (n,)."""
    local = clock.local(pickup_at)
    begins = (local[0].astype("datetime64[M]") + np.timedelta64(months, "M")).astype("datetime64[us]")
    later = np.flatnonzero(local >= begins)
    if not len(later):
        raise NotEnoughTrips(f"the files span no more than {months} months: say --train-until")
    return np.datetime64(pickup_at[later[0]].astype("datetime64[m]"), "us")


def _real_days(local: Times) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    days, place, counts = np.unique(local.astype("datetime64[D]"), return_inverse=True, return_counts=True)
    large = np.flatnonzero(counts >= LEAST_DAY_SHARE * np.median(counts[counts > 1] if (counts > 1).any() else counts))
    real = (days >= days[large[0]]) & (days <= days[large[-1]])
    return np.asarray(real[place])
