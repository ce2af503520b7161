"""Which trips a training learns from, how much each counts, and by which it is judged."""

from dataclasses import dataclass

import numpy as np

from domain.entities.trips import Floats, Times
from domain.evaluation import Rows, Split, hold_out

LEAST_HELD_OUT = 150  # below it neither a held-out error nor an interval means anything
HELD_OUT_SINCE_BREAK = 1 / 3  # of the trips since a break at most: the rest must teach what has changed


@dataclass(frozen=True, slots=True, eq=False)
class Recipe:
    """Rows in order of pickup: `learned` by the model that is judged by the rows `held_out`, all of which started later.

    The model that is registered learns from all rows. `weights`, shape (n,): how much each row counts; None: all the same.
    """

    learned: Rows
    held_out: Rows
    weights: Floats | None = None

    def weights_of(self, rows: Rows) -> Floats | None:
        """The weights of some rows."""
        return None if self.weights is None else self.weights[rows]


def recipe_of(
    pickup_at: Times, *, since_break: np.datetime64 | None = None, known_until: np.datetime64 | None = None
) -> Recipe:
    """Divide trips with pickups at these times, shape (n,).

    Held out are the newest 20%; not those that the champion has learnt from (`known_until`), so that both are judged by what
    neither knows; and not most of the trips since a break. Either bound gives way where it would leave too few.
    """
    learned, held_out = hold_out(Split.TIME, pickup_at)
    for bound in (known_until, _enough_since(pickup_at, since_break)):
        if bound is None:
            continue
        later = np.flatnonzero(pickup_at > bound)
        if LEAST_HELD_OUT <= len(later) < len(held_out):
            learned, held_out = np.flatnonzero(pickup_at <= bound), later
    return Recipe(learned, held_out)


def _enough_since(pickup_at: Times, since_break: np.datetime64 | None) -> np.datetime64 | None:
    """When enough of the trips since the break had begun to learn from."""
    if since_break is None:
        return None
    since = np.sort(pickup_at[pickup_at >= since_break])
    return since[int(len(since) * (1 - HELD_OUT_SINCE_BREAK))] if len(since) else None
