"""How good predictions are, and which trips may judge them."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from domain.entities.trips import Floats, Times

HELD_OUT_SHARE = 0.2
RANDOM_SEED = 20160101
Rows = NDArray[np.intp]


class Split(StrEnum):
    """Ways to hold trips out. By time is what counts: tomorrow's trips are not known today."""

    TIME = "time"
    RANDOM = "random"


@dataclass(frozen=True, slots=True)
class Scores:
    """Errors over held-out trips; R2 is the share of the variance that is explained."""

    rmse_minutes: float
    mae_minutes: float
    r2: float


def scores_of(predicted_seconds: NDArray[np.floating], actual_seconds: Floats) -> Scores:
    """Scores of predictions of shape (n,), n > 0."""
    error = predicted_seconds.astype(np.float64) - actual_seconds
    spread = float(np.sum((actual_seconds - actual_seconds.mean()) ** 2))
    return Scores(
        rmse_minutes=float(np.sqrt(np.mean(error**2))) / 60,
        mae_minutes=float(np.mean(np.abs(error))) / 60,
        r2=1 - float(np.sum(error**2)) / spread if spread else float("nan"),
    )


def hold_out(split: Split, pickup_at: Times) -> tuple[Rows, Rows]:
    """Rows to learn from and rows to judge by, 80% and 20% of the trips whose pickup times are given, shape (n,).

    By time, every held-out trip starts after every learned one; trips of the very same instant stay together, held out.
    """
    if split is Split.RANDOM:
        rows = np.random.default_rng(RANDOM_SEED).permutation(len(pickup_at))
        place = round(len(rows) * (1 - HELD_OUT_SHARE))
        return rows[:place], rows[place:]
    start = np.partition(pickup_at, round(len(pickup_at) * (1 - HELD_OUT_SHARE)))[round(len(pickup_at) * (1 - HELD_OUT_SHARE))]
    return np.flatnonzero(pickup_at < start), np.flatnonzero(pickup_at >= start)
