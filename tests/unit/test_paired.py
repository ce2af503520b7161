"""The paired test: how often it is wrong, how soon it is right, looked at after every batch of 50 settled trips."""

from statistics import median

import numpy as np
import pytest

from domain.entities.trips import Floats
from domain.paired import PairLimits, PairOutcome, PairVerdict, paired_verdict
from domain.sums import MICRO

RUNS = 200
LABELS = 20_000
LOOK_EVERY = 50
CAP_SECONDS = 1800.0
OWN = 0.10  # standard deviation of what a good version's logarithm of the duration adds to the trip's own noise
OWN_OF_10_PERCENT_WORSE = 0.188  # its mean absolute error is 10% larger; test_the_worse_version_is_10_percent_worse holds it


def losses(champion: float, shadow: float, seed: int, labels: int = LABELS) -> tuple[Floats, Floats]:
    """Losses of two versions on the same trips: log-normal durations, one noise of the trip (sd 0.35), one of each version."""
    rng = np.random.default_rng(seed)
    actual = np.clip(np.exp(rng.normal(np.log(680), 0.65, labels)), 60, 7200)
    trip = rng.normal(0, 0.35, labels)
    errors = (np.abs(actual * np.expm1(trip + rng.normal(0, own, labels))) for own in (champion, shadow))
    one, other = (np.minimum(error, CAP_SECONDS) / CAP_SECONDS for error in errors)
    return one, other


def watched(champion: float, shadow: float, seed: int, limits: PairLimits | None = None) -> PairVerdict:
    """The first decision, or the last look."""
    one, other = losses(champion, shadow, seed)
    return decided(one - other, limits or PairLimits())


def decided(difference: Floats, limits: PairLimits) -> PairVerdict:
    """Look after every batch until something is decided."""
    sums = np.cumsum(np.rint(difference * MICRO).astype(np.int64))
    squares = np.cumsum(np.rint(difference**2 * MICRO).astype(np.int64))
    for pairs in range(LOOK_EVERY, LABELS + 1, LOOK_EVERY):
        verdict = paired_verdict(pairs, int(sums[pairs - 1]), int(squares[pairs - 1]), limits)
        if verdict.outcome is not PairOutcome.UNDECIDED:
            break
    return verdict


def test_the_worse_version_is_10_percent_worse() -> None:
    rng = np.random.default_rng(1)
    actual = np.clip(np.exp(rng.normal(np.log(680), 0.65, 400_000)), 60, 7200)
    trip, own = rng.normal(0, 0.35, 400_000), rng.normal(0, 1, 400_000)
    good, bad = (np.abs(actual * np.expm1(trip + own * sd)).mean() for sd in (OWN, OWN_OF_10_PERCENT_WORSE))
    assert bad / good == pytest.approx(1.10, abs=0.01)


def test_a_challenger_10_percent_worse_never_wins() -> None:
    verdicts = [watched(OWN, OWN_OF_10_PERCENT_WORSE, seed) for seed in range(RUNS)]
    assert [verdict for verdict in verdicts if verdict.outcome is PairOutcome.BETTER] == []
    assert sum(verdict.outcome is PairOutcome.WORSE for verdict in verdicts) >= 190
    assert median(verdict.pairs for verdict in verdicts) <= 2000  # measured: 1,400; 650 without the design effect


def test_a_challenger_10_percent_better_wins() -> None:
    verdicts = [watched(OWN_OF_10_PERCENT_WORSE, OWN, 10_000 + seed) for seed in range(RUNS)]
    assert sum(verdict.outcome is PairOutcome.BETTER for verdict in verdicts) >= 190
    assert median(verdict.pairs for verdict in verdicts) <= 2000  # measured: 1,275; 650 without the design effect


def test_an_equal_challenger_wins_no_more_often_than_stated_though_looked_at_400_times() -> None:
    """These pairs are independent, so the test may not hide behind the design effect."""
    verdicts = [watched(0.15, 0.15, 20_000 + seed, PairLimits(design_effect=1.0)) for seed in range(2 * RUNS)]
    claims = sum(verdict.outcome is not PairOutcome.UNDECIDED for verdict in verdicts)
    assert claims / len(verdicts) <= PairLimits().alpha  # measured over 1,000 runs: 2.6%, of which 1.6% wins


def test_equal_versions_whose_hours_resemble_each_other_are_not_told_apart_more_often_than_stated() -> None:
    """Each version errs by 2% in one direction for 200 trips, then by another 2%; measured 0.5%, 6.5% without the effect."""
    claims = 0
    for seed in range(RUNS):
        rng = np.random.default_rng(30_000 + seed)
        actual = np.clip(np.exp(rng.normal(np.log(680), 0.65, LABELS)), 60, 7200)
        trip = rng.normal(0, 0.35, LABELS) + np.repeat(rng.normal(0, 0.05, LABELS // 200), 200)
        own = (rng.normal(0, 0.15, LABELS) + np.repeat(rng.normal(0, 0.02, LABELS // 200), 200) for _ in range(2))
        one, other = (np.minimum(np.abs(actual * np.expm1(trip + each)), CAP_SECONDS) / CAP_SECONDS for each in own)
        claims += decided(one - other, PairLimits()).outcome is not PairOutcome.UNDECIDED
    assert claims / RUNS <= PairLimits().alpha


def test_a_test_that_looks_once_would_have_claimed_far_too_often() -> None:
    """What the confidence sequence is for: the same data, judged at every look by the interval of a single look."""
    claimed = 0
    for seed in range(RUNS):
        one, other = losses(0.15, 0.15, 20_000 + seed)
        difference = one - other
        count = np.arange(1, LABELS + 1)
        mean = np.cumsum(difference) / count
        sd = np.sqrt(np.cumsum(difference**2) / count - mean**2)
        looks = slice(199, None, LOOK_EVERY)
        claimed += bool((np.abs(mean[looks]) > 1.96 * sd[looks] / np.sqrt(count[looks])).any())
    assert claimed / RUNS > 0.2


def test_the_verdict_of_swapped_versions_is_the_opposite() -> None:
    better, worse = paired_verdict(1000, 20_000_000, 9_000_000), paired_verdict(1000, -20_000_000, 9_000_000)
    assert (better.outcome, worse.outcome) == (PairOutcome.BETTER, PairOutcome.WORSE)
    assert (better.lower, better.upper, better.mean_difference) == (-worse.upper, -worse.lower, -worse.mean_difference)


def test_nothing_is_decided_on_few_pairs_however_clear_they_look() -> None:
    few = paired_verdict(199, 199 * MICRO // 2, 199 * MICRO // 4)
    assert few.outcome is PairOutcome.UNDECIDED
    assert paired_verdict(200, 200 * MICRO // 2, 200 * MICRO // 4).outcome is PairOutcome.BETTER


def test_no_pairs_say_nothing() -> None:
    assert paired_verdict(0, 0, 0) == PairVerdict(PairOutcome.UNDECIDED, 0, 0.0, -1.0, 1.0)


def test_two_versions_that_answer_alike_stay_undecided_though_their_squares_round_to_nothing() -> None:
    assert paired_verdict(1000, 1000 * 20, 0).outcome is PairOutcome.UNDECIDED


def test_correlated_pairs_need_the_design_effect() -> None:
    """A mean difference that is clear among independent pairs is not when each hour's pairs resemble each other."""
    sums = (2000, 12_000_000, 10_000_000)
    assert paired_verdict(*sums, PairLimits(design_effect=1.0)).outcome is PairOutcome.BETTER
    assert paired_verdict(*sums, PairLimits(design_effect=4.0)).outcome is PairOutcome.UNDECIDED


@pytest.mark.parametrize("pairs", [1, 10, 1000, 10**7])
def test_the_interval_holds_the_mean_and_stays_in_range(pairs: int) -> None:
    verdict = paired_verdict(pairs, pairs * MICRO // 100, pairs * MICRO // 50)
    assert -1 <= verdict.lower <= verdict.mean_difference <= verdict.upper <= 1
