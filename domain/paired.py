"""Whether one version is closer to the truth than another on the same trips, looked at after every batch.

The mean difference of losses gets a confidence sequence: an interval that holds the truth at all times at once, with
probability 1 - alpha, so that looking often does not make a difference where there is none. It is the asymptotic confidence
sequence by Robbins' normal mixture (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central limit theory and
asymptotic confidence sequences", 2021, theorem 2.2): it needs the sums below and nothing else, and takes the variance from
the data. Like the central limit theorem it wants a sample to begin with, hence `least_pairs`.

It is a theorem about independent pairs. Where the differences of one hour or day resemble each other, `design_effect` says how
many times larger the variance of their mean is than that of as many independent pairs (Kish 1965).
"""

import math
from dataclasses import dataclass
from enum import StrEnum

from domain.sums import MICRO

ROUNDING = 0.5 / MICRO  # each square may have lost as much; without it, two almost equal models would have no variance


class PairOutcome(StrEnum):
    """What may be said of the second version."""

    BETTER = "better"
    WORSE = "worse"
    UNDECIDED = "undecided"


@dataclass(frozen=True, slots=True)
class PairLimits:
    """How sure to be. `alpha`: the chance that a difference is ever claimed between equals, either way together.

    `least_pairs`: before them nothing is decided. `tuned_for_pairs`: where the interval is narrowest, relative to a test that
    looks once. `design_effect`: see the module; 1 or more. Two is what versions need that each err by
    2% in one direction for an hour; where a whole day errs alike, no factor helps: only more days do.
    """

    alpha: float = 0.05
    least_pairs: int = 200
    tuned_for_pairs: int = 1000
    design_effect: float = 2.0


DEFAULT_LIMITS = PairLimits()


@dataclass(frozen=True, slots=True)
class PairVerdict:
    """Differences are loss(champion) - loss(shadow) as shares of the loss's cap: above zero the shadow is closer."""

    outcome: PairOutcome
    pairs: int
    mean_difference: float
    lower: float
    upper: float


def paired_verdict(pairs: int, sum_difference: int, sum_square: int, limits: PairLimits = DEFAULT_LIMITS) -> PairVerdict:
    """Judge by sums over pairs: of the difference and of its square, each in 1e-6 (see `domain.sums.Pairs`).

    A difference lies in [-1, 1]; so does the interval.
    """
    if pairs <= 0:
        return PairVerdict(PairOutcome.UNDECIDED, 0, 0.0, -1.0, 1.0)
    mean = sum_difference / pairs / MICRO
    variance = max(sum_square / pairs / MICRO - mean * mean, 0.0) + ROUNDING
    radius = math.sqrt(variance * limits.design_effect) * _radius(pairs, limits)
    lower, upper = max(mean - radius, -1.0), min(mean + radius, 1.0)
    return PairVerdict(_outcome(pairs, lower, upper, limits), pairs, mean, lower, upper)


def _radius(pairs: int, limits: PairLimits) -> float:
    """Half the interval's width for a variance of one."""
    twice = -2 * math.log(limits.alpha)
    rho_square = (twice + math.log(twice) + 1) / limits.tuned_for_pairs
    spread = pairs * rho_square + 1
    return math.sqrt(2 * spread / (pairs * pairs * rho_square) * math.log(math.sqrt(spread) / limits.alpha))


def _outcome(pairs: int, lower: float, upper: float, limits: PairLimits) -> PairOutcome:
    if pairs < limits.least_pairs:
        return PairOutcome.UNDECIDED
    if lower > 0:
        return PairOutcome.BETTER
    return PairOutcome.WORSE if upper < 0 else PairOutcome.UNDECIDED
