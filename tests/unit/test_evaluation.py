"""Scores, honest splits, and what speaks against a model."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.entities.trips import SECOND, Times
from domain.evaluation import Scores, Split, hold_out, scores_of
from domain.promotion import objection


def at(*seconds: int) -> Times:
    return np.datetime64("2016-01-01T00:00:00", "us") + np.array(seconds) * SECOND


def test_scores_are_in_minutes() -> None:
    scores = scores_of(np.array([600.0, 1200.0]), np.array([540.0, 1380.0]))
    assert scores.rmse_minutes == pytest.approx(np.sqrt((1 + 9) / 2))
    assert scores.mae_minutes == pytest.approx(2.0)
    assert scores.r2 == pytest.approx(1 - (60**2 + 180**2) / (2 * 420**2))


def test_always_saying_the_mean_explains_nothing() -> None:
    actual = np.array([300.0, 600.0, 900.0])
    assert scores_of(np.full(3, 600.0), actual).r2 == pytest.approx(0)


@given(st.lists(st.integers(0, 50), min_size=10, max_size=200), st.sampled_from(list(Split)))
def test_every_trip_is_either_learned_from_or_held_out(seconds: list[int], split: Split) -> None:
    learned, held_out = hold_out(split, at(*seconds))
    assert sorted([*learned, *held_out]) == list(range(len(seconds)))


@given(st.lists(st.integers(0, 50), min_size=10, max_size=200))
def test_by_time_nothing_learned_starts_when_or_after_something_held_out_starts(seconds: list[int]) -> None:
    pickup_at = at(*seconds)
    learned, held_out = hold_out(Split.TIME, pickup_at)
    assert len(held_out) >= 1
    if len(learned):
        assert pickup_at[learned].max() < pickup_at[held_out].min()


def test_a_fifth_is_held_out_and_the_same_fifth_each_time() -> None:
    pickup_at = at(*range(1000))
    for split in Split:
        learned, held_out = hold_out(split, pickup_at)
        assert (len(learned), len(held_out)) == (800, 200)
        assert np.array_equal(hold_out(split, pickup_at)[1], held_out)


@pytest.mark.parametrize(
    ("r2", "coverage", "words"),
    [(0.7, 0.9, None), (0.0, 0.9, "explains none"), (float("nan"), 0.9, "explains none"), (0.7, 0.5, "only 50%")],
)
def test_what_speaks_against_a_model(r2: float, coverage: float, words: str | None) -> None:
    why_not = objection(Scores(5.0, 3.0, r2), coverage)
    assert (why_not is None) if words is None else (why_not is not None and words in why_not)
