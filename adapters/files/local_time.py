"""Read the naive New York time of trip files: which instant did the clock on the wall mean, daylight saving nights included.

Autumn shows one hour twice. A trip that starts or ends in it can be read in up to four ways; we take the way that agrees with
the stated duration where the file states one, else the shortest way that lasts longer than zero, else the first occurrence.
Spring skips an hour: a time in it never was. A trip across the skipped hour lasted an hour less than its two times suggest,
and less than the files of 2016 state: we keep what real clocks say.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.entities.trips import SECOND, TIME, Floats, Times
from domain.features import CityClock

_DAY = np.timedelta64(1, "D")


@dataclass(frozen=True, slots=True, eq=False)
class Localised:
    """Instants in UTC, shape (n,). `skipped`: the pickup or dropoff names a time that never was; its instant is NaT."""

    pickup_at: Times
    dropoff_at: Times
    skipped: NDArray[np.bool_]


def localise(pickup: Times, dropoff: Times, stated_seconds: Floats | None, clock: CityClock) -> Localised:
    """Instants of naive local times. `stated_seconds` is NaN, or the argument None, where the file states no duration."""
    first_pickup, last_pickup = _occurrences(pickup, clock)
    first_dropoff, last_dropoff = _occurrences(dropoff, clock)
    pickup_at, dropoff_at = first_pickup.copy(), first_dropoff.copy()
    twice = (first_pickup != last_pickup) | (first_dropoff != last_dropoff)
    twice &= ~(np.isnat(first_pickup) | np.isnat(first_dropoff))
    if twice.any():
        rows = np.flatnonzero(twice)
        stated = np.full(len(rows), np.nan) if stated_seconds is None else stated_seconds[rows]
        pickups, dropoffs = (first_pickup[rows], last_pickup[rows]), (first_dropoff[rows], last_dropoff[rows])
        pickup_at[rows], dropoff_at[rows] = _likeliest(pickups, dropoffs, stated)
    skipped = (np.isnat(pickup_at) & ~np.isnat(pickup)) | (np.isnat(dropoff_at) & ~np.isnat(dropoff))
    return Localised(pickup_at, dropoff_at, skipped)


def _occurrences(local: Times, clock: CityClock) -> tuple[Times, Times]:
    """The first and the last instant at which the city's clocks showed a time; NaT when they never did.

    A zone's offset changes at most once within two days, so the offsets a day before and after are the only candidates.
    """
    before, after = local - _DAY, local + _DAY
    early = local - (clock.local(before) - before)
    late = local - (clock.local(after) - after)
    if np.array_equal(early, late):
        return early, late
    never = np.datetime64("NaT", "us")
    early_true, late_true = clock.local(early) == local, clock.local(late) == local
    first = np.where(early_true, early, np.where(late_true, late, never))
    last = np.where(late_true, late, np.where(early_true, early, never))
    return first.astype(TIME), last.astype(TIME)


def _likeliest(pickups: tuple[Times, Times], dropoffs: tuple[Times, Times], stated_seconds: Floats) -> tuple[Times, Times]:
    """Of the four readings of each trip, the one described at the top of this file; on a tie the earlier occurrence."""
    readings = [(pickup, dropoff) for pickup in pickups for dropoff in dropoffs]
    costs = np.empty((len(readings), len(stated_seconds)))
    for number, (pickup, dropoff) in enumerate(readings):
        seconds = (dropoff - pickup) / SECOND
        costs[number] = np.where(seconds == stated_seconds, -1.0, np.where(seconds > 0, seconds, np.inf))
    best, rows = costs.argmin(axis=0), np.arange(len(stated_seconds))
    chosen_pickup = np.array([pickup for pickup, _ in readings])[best, rows]
    chosen_dropoff = np.array([dropoff for _, dropoff in readings])[best, rows]
    return chosen_pickup, chosen_dropoff
