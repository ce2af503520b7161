"""Which trips a training learns from, what it takes their durations to be, and by which trips it is judged.

After a break the trips since then are few, and those of before are many but wrong. What they still know is how trips differ
from each other; what has changed is the level. So the older ones are kept, and their durations are corrected by how much more
the champion errs since the break than before: as a whole, by area and by band of the hour, each drawn towards none while its
trips are few. On the spring of 2020 this beat leaving them out, weighing them down, and going on from the old model's trees.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.entities.trips import Floats, Times
from domain.evaluation import Rows, Split, hold_out
from domain.quality import TRAINING_DURATION_SECONDS

LEAST_HELD_OUT = 150  # below it neither a held-out error nor an interval means anything
HELD_OUT_SINCE_BREAK = 1 / 3  # of the trips since a break at most: the rest must teach what has changed
BEFORE_BREAK = np.timedelta64(120, "D")  # how far back older trips are still of use
PRIOR_TRIPS = 200.0  # a group's own correction counts half when it has so many trips since the break

Groups = Sequence[NDArray[Any]]


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """Rows to learn from, in order of pickup, and what their durations are taken to be, in seconds; shape (n,) each.

    `weights`: how much each counts; None: all the same.
    """

    rows: Rows
    seconds: Floats
    weights: Floats | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """`learned` makes the model that is judged by the rows `held_out`, all of which started later than any of it.

    `everything` makes the model that is registered.
    """

    learned: Lesson
    held_out: Rows
    everything: Lesson


@dataclass(frozen=True, slots=True, eq=False)
class Break:
    """When the city changed, what the champion says of the trips around it, and by what groups it may have changed.

    `answers`: seconds, shape (n,), read from BEFORE_BREAK before the break on. `groups`: each trip's group of one kind, shape
    (n,), for several kinds.
    """

    since: np.datetime64
    answers: NDArray[np.float32] | None = None
    groups: Groups = ()


def recipe_of(
    pickup_at: Times, seconds: Floats, *, change: Break | None = None, known_until: np.datetime64 | None = None
) -> Recipe:
    """Divide trips with these pickups and durations, shape (n,).

    Held out are the newest 20%; not those that the champion has learnt from (`known_until`), so that both are judged by what
    neither knows; and not most of the trips since a break. Either bound gives way where it would leave too few. What is held
    out teaches nothing, not even how much has changed.
    """
    learned, held_out = hold_out(Split.TIME, pickup_at)
    for bound in (known_until, None if change is None else _enough_since(pickup_at, change.since)):
        if bound is None:
            continue
        later = np.flatnonzero(pickup_at > bound)
        if LEAST_HELD_OUT <= len(later) < len(held_out):
            learned, held_out = np.flatnonzero(pickup_at <= bound), later
    everything = np.arange(len(pickup_at))
    return Recipe(_lesson(learned, pickup_at, seconds, change), held_out, _lesson(everything, pickup_at, seconds, change))


def _lesson(rows: Rows, pickup_at: Times, seconds: Floats, change: Break | None) -> Lesson:
    """What may be learnt from these rows."""
    if change is None:
        return Lesson(rows, seconds[rows])
    new = rows[pickup_at[rows] >= change.since]
    old = rows[(pickup_at[rows] < change.since) & (pickup_at[rows] >= change.since - BEFORE_BREAK)]
    corrected = seconds[old]
    if change.answers is not None and len(new) and len(old):
        factor = np.exp(_shift(old, new, np.log(seconds / change.answers), change.groups))
        corrected = np.clip(corrected * factor, *TRAINING_DURATION_SECONDS)
    return Lesson(np.concatenate([old, new]), np.concatenate([corrected, seconds[new]]))


def _shift(old: Rows, new: Rows, residual: Floats, groups: Groups) -> Floats:
    """By how much ln(actual / said) has changed for each of the old rows: one kind of groups after the other."""
    before, now = residual[old], residual[new]
    shift = np.full(len(old), now.mean() - before.mean())
    before, now = before + shift, now.copy()
    for group in groups:
        for value in np.unique(group[new]):
            here, there = group[old] == value, group[new] == value
            if not here.any():
                continue
            count = int(there.sum())
            own = (now[there].mean() - before[here].mean()) * count / (count + PRIOR_TRIPS)
            shift[here] += own
            before[here] += own
    return shift


def _enough_since(pickup_at: Times, since_break: np.datetime64) -> np.datetime64 | None:
    """When enough of the trips since the break had begun to learn from."""
    since = np.sort(pickup_at[pickup_at >= since_break])
    return since[int(len(since) * (1 - HELD_OUT_SINCE_BREAK))] if len(since) else None
