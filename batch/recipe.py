"""Which trips a training learns from, what it takes their durations to be, and by which trips it is judged.

After a break the trips since then are few, and those of before are many but wrong. What they still know is how trips differ
from each other; what has changed is the level. So the older ones are kept, and their durations are corrected by how much more
the champion errs since the break than before: as a whole, by area and by band of the hour, each drawn towards none while its
trips are few. On the spring of 2020 this beat leaving them out, weighing them down by age, and going on from the old model's
trees; and where the break was a false alarm, it did the least harm.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.entities.trips import Floats, Times
from domain.evaluation import HELD_OUT_SHARE, RANDOM_SEED, Rows, Split, hold_out
from domain.quality import TRAINING_DURATION_SECONDS

LEAST_HELD_OUT = 150  # below it neither a held-out error nor an interval means anything
LEAST_SINCE_BREAK = 50  # the same where there are not more
HELD_OUT_SINCE_BREAK = 1 / 3  # of the trips since a break at most: the rest must teach what has changed
BEFORE_BREAK = np.timedelta64(120, "D")  # how far back older trips are still of use
OLDER_WEIGHT = 0.5  # of a trip of before the break
USUAL_TRIPS = 1000  # say what is normal for a model; of fewer than twice as many trips, half do
PRIOR_TRIPS = 200.0  # a group's own correction counts half when it has so many trips since the break

Groups = Sequence[NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Pickups:
    """Trips by the time of their pickup alone, so that whoever holds some of them can tell which are meant.

    `before`: only earlier ones; `without`: not this share of all instants, drawn once and for all. Trips of the very same
    instant stay together.
    """

    before: np.datetime64 | None = None
    without: float = 0.0

    def among(self, pickup_at: Times) -> NDArray[np.bool_]:
        """Mask of shape (n,)."""
        kept = ~_instants_drawn(pickup_at, self.without)
        return kept if self.before is None else np.asarray(kept & (pickup_at < self.before))


@dataclass(frozen=True, slots=True, eq=False)
class Lesson:
    """Rows to learn from, in order of pickup, and what their durations are taken to be, in seconds; shape (n,) each.

    `weights`: how much each counts; None: all the same. `pickups`: the same lesson where the rows are a sample of more trips.
    """

    rows: Rows
    seconds: Floats
    weights: Floats | None = None
    pickups: Pickups | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """`learned` makes the model that is judged by the rows `held_out`, all of which started later than any of it.

    `everything` makes the model that is registered. What is normal for it is told by one that learns from `common`, by its
    errors on `usual`: rows drawn at random from `current`, which are all rows, or those since the break. The newest trips would
    not do for that: every week has a level of its own.
    """

    learned: Lesson
    held_out: Rows
    everything: Lesson
    common: Lesson
    usual: Rows
    current: Rows


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
    learned, held_out = _by_time(pickup_at, known_until, None if change is None else _enough_since(pickup_at, change.since))
    everything = np.arange(len(pickup_at))
    current = everything if change is None else np.flatnonzero(pickup_at >= change.since)
    current = current if len(current) else everything  # a break that is still to come
    usual = _drawn(current)

    def lesson(rows: Rows) -> Lesson:
        return _lesson(rows, pickup_at, seconds, change)

    return Recipe(lesson(learned), held_out, lesson(everything), lesson(np.setdiff1d(everything, usual)), usual, current)


def recipe_by_pickup(pickup_at: Times, seconds: Floats, known_until: np.datetime64 | None = None) -> Recipe:
    """Divide a sample of trips in order of pickup, so that every lesson is one of all of them too, by its `pickups`.

    As `recipe_of` divides them, but for `usual`, which is drawn by instants rather than by rows.
    """
    _, held_out = _by_time(pickup_at, known_until, None)
    everything = np.arange(len(pickup_at))
    share = _usual_count(len(pickup_at)) / len(pickup_at)
    usual = np.flatnonzero(_instants_drawn(pickup_at, share))

    def lesson(pickups: Pickups) -> Lesson:
        rows = np.flatnonzero(pickups.among(pickup_at))
        return Lesson(rows, seconds[rows], pickups=pickups)

    learned, common = lesson(Pickups(before=pickup_at[held_out].min())), lesson(Pickups(without=share))
    return Recipe(learned, held_out, lesson(Pickups()), common, usual, everything)


def _instants_drawn(pickup_at: Times, share: float) -> NDArray[np.bool_]:
    """A share of all instants, by a hash of each: the finaliser of splitmix64."""
    mixed = pickup_at.astype("datetime64[us]").astype(np.uint64)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return np.asarray((mixed >> np.uint64(32)) < np.uint64(share * 2**32))


def _by_time(pickup_at: Times, known_until: np.datetime64 | None, enough: np.datetime64 | None) -> tuple[Rows, Rows]:
    learned, held_out = hold_out(Split.TIME, pickup_at)
    for bound, least in ((known_until, LEAST_HELD_OUT), (enough, LEAST_SINCE_BREAK)):
        if bound is None:
            continue
        later = np.flatnonzero(pickup_at > bound)
        if least <= len(later) < len(held_out):
            learned, held_out = np.flatnonzero(pickup_at <= bound), later
    return learned, held_out


def _drawn(rows: Rows) -> Rows:
    """A fifth of the rows at random, or more where that would be few; in order."""
    return np.sort(np.random.default_rng(RANDOM_SEED).permutation(rows)[: _usual_count(len(rows))])


def _usual_count(rows: int) -> int:
    return max(round(rows * HELD_OUT_SHARE), min(USUAL_TRIPS, rows // 2))


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
    weights = np.concatenate([np.full(len(old), OLDER_WEIGHT), np.ones(len(new))])
    return Lesson(np.concatenate([old, new]), np.concatenate([corrected, seconds[new]]), weights)


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
