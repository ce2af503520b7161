"""A comparison that comes to its end undecided: a follow-up that is ahead is promoted, any other challenger is not."""

import numpy as np

from domain.loop.steps import Step
from domain.loop.trial import PairTrial, Result
from domain.policy import Policy, Trial
from domain.sums import MICRO, Cells, Flows, Inputs, Pairs
from tests.steps import MONDAY, sums
from tests.unit.test_paired import OWN, OWN_OF_10_PERCENT_WORSE, losses

RUNS = 200
BATCH = 50  # every four hours
FOLLOW_UP = Policy().follow_up_shadow


def outcome(champion: float, shadow: float, seed: int, limits: Trial = FOLLOW_UP) -> Result:
    """How a comparison of two versions that err so much ends."""
    one, other = losses(champion, shadow, seed, 22 * BATCH)
    trial = PairTrial(1, 2, MONDAY, limits)
    for number, part in enumerate(np.split(one - other, len(one) // BATCH)):
        result = trial.add(step(MONDAY + 4 * 60 * number, part))
        if result is not Result.OPEN:
            return result
    raise AssertionError("a comparison ends")


def step(minute: int, difference: np.ndarray) -> Step:
    whole, square = (int(np.rint(values * MICRO).sum()) for values in (difference, difference**2))
    pairs = sums(
        Pairs, minute=[minute], champion=[1], shadow=[2], pairs=[BATCH], difference=[whole], square_difference=[square]
    )
    return Step(minute, minute, sums(Cells), pairs, sums(Flows), sums(Inputs))


def test_a_follow_up_10_percent_worse_is_never_promoted() -> None:
    results = [outcome(OWN, OWN_OF_10_PERCENT_WORSE, seed) for seed in range(RUNS)]
    assert not {Result.SHADOW_BETTER, Result.SHADOW_AHEAD} & set(results)


def test_a_follow_up_10_percent_better_is_always_promoted() -> None:
    results = [outcome(OWN_OF_10_PERCENT_WORSE, OWN, 10_000 + seed) for seed in range(RUNS)]
    assert set(results) <= {Result.SHADOW_BETTER, Result.SHADOW_AHEAD}


def test_an_equal_follow_up_is_promoted_every_other_time() -> None:
    """Which harms nobody, and is said in the promotion's reason."""
    results = [outcome(0.15, 0.15, 20_000 + seed) for seed in range(RUNS)]
    assert 70 <= results.count(Result.SHADOW_AHEAD) <= 130
    assert results.count(Result.SHADOW_BETTER) <= 5


def test_any_other_challenger_has_to_be_better_beyond_doubt() -> None:
    limits = Trial(most_hours=FOLLOW_UP.most_hours)
    results = [outcome(0.15, 0.15, 20_000 + seed, limits) for seed in range(20)]
    assert Result.SHADOW_AHEAD not in results


def test_being_ahead_over_a_handful_of_trips_is_nothing() -> None:
    trial = PairTrial(1, 2, MONDAY, FOLLOW_UP)
    assert trial.add(step(MONDAY + 80 * 60, np.full(BATCH, 0.01))) is Result.UNDECIDED
