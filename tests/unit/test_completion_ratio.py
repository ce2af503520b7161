"""Completions observed over expected: silent in calm times, quick when the city slows down, and without a single label."""

from collections.abc import Iterator

import numpy as np
import pytest

from domain.loop.completion_ratio import BINS, CENTRES, CompletionRatio, ending_chances
from domain.loop.steps import Step
from domain.sums import Flows
from domain.tallies import FLOW_HORIZON_SECONDS
from tests.steps import LENGTH, MONDAY, baseline, step, sums

A_BIN = 6
BEGUN = 100  # trips a step
SPREAD = 0.3


def steps(hours: float, slowdown_after: float, slowdown: float, seed: int = 3) -> Iterator[Step]:
    """A city in which all trips are predicted alike; from some hour on they take longer."""
    rng = np.random.default_rng(seed)
    count = int(hours * 60 / LENGTH)
    begins = np.repeat(np.arange(count), BEGUN) * LENGTH + rng.random(count * BEGUN) * LENGTH
    factor = np.where(begins >= slowdown_after * 60, slowdown, 1.0)
    ends = begins + CENTRES[A_BIN] / 60 * np.exp(rng.normal(0, SPREAD, len(begins))) * factor
    ended = np.bincount((ends // LENGTH).astype(int), minlength=count)
    for number in range(count):
        flows = sums(Flows, minute=[0], duration_bin=[A_BIN], started=[BEGUN], ended=[int(ended[number])])
        yield step(MONDAY + (number + 1) * LENGTH, flows=flows)


def values(given: Iterator[Step]) -> list[float]:
    ratio = CompletionRatio(baseline(), LENGTH)
    return [value for each in given if (value := ratio.add(each)) is not None]


def test_in_calm_times_as_many_end_as_are_expected() -> None:
    calm = values(steps(48, slowdown_after=48, slowdown=1.0))
    assert np.mean(calm) == pytest.approx(0, abs=0.01)
    assert max(map(abs, calm[5:])) < 0.3


def test_a_slow_down_shows_within_half_an_hour() -> None:
    slowed = values(steps(24, slowdown_after=12, slowdown=1.5))
    onset = 12 * 60 // LENGTH
    assert min(slowed[onset : onset + 6]) < -0.4


def test_a_value_waits_for_enough_expected_completions() -> None:
    ratio = CompletionRatio(baseline(), LENGTH)
    few = sums(Flows, minute=[0], duration_bin=[A_BIN], started=[1], ended=[0])
    given = [ratio.add(step(MONDAY + number * LENGTH, flows=few)) for number in range(1, 60)]
    assert [value for value in given if value is not None] != []
    assert given[:29] == [None] * 29


def test_the_chances_of_a_trip_add_up_to_that_of_ending_within_the_horizon() -> None:
    chances = ending_chances(baseline(), LENGTH)
    assert chances.shape == (int(FLOW_HORIZON_SECONDS / 60 / LENGTH), BINS)
    assert (chances >= 0).all()
    assert chances[:, A_BIN].sum() == pytest.approx(1, abs=0.01)
    mean_seconds = (chances[:, A_BIN] * (np.arange(len(chances)) * LENGTH * 60)).sum()
    assert mean_seconds == pytest.approx(CENTRES[A_BIN] * np.exp(SPREAD**2 / 2), rel=0.05)
