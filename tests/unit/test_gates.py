"""The gates of models: nonsense and harm to a part of the city are refused, change is not."""

import numpy as np
import pytest

from domain.entities.trips import Floats
from domain.evaluation import Scores
from domain.gates import (
    Duel,
    GateLimits,
    GateResult,
    finite_gate,
    refusal,
    slice_gate,
    sound_gate,
    speed_gate,
    trusted_gate,
    window_gate,
)

LIMITS = GateLimits()
TRIPS = 4000


def actual(seed: int = 1, trips: int = TRIPS) -> Floats:
    return np.clip(np.exp(np.random.default_rng(seed).normal(np.log(680), 0.65, trips)), 60, 7200)


def answers(true: Floats, sd: float, seed: int = 2, factor: float = 1.0) -> np.ndarray:
    """Predictions that are off by log-normal noise, and by a factor."""
    noise = np.random.default_rng(seed).normal(0, sd, len(true))
    return np.asarray(true * np.exp(noise) * factor, dtype=np.float32)


def duel(champion_sd: float, challenger_sd: float, *, factor: float = 1.0, trips: int = TRIPS, seed: int = 0) -> Duel:
    true = actual(seed, trips)
    return Duel(true, answers(true, champion_sd, seed + 100), answers(true, challenger_sd, seed + 200, factor))


@pytest.mark.parametrize("factor", [0.55, 0.65, 1.25, 1.5, 1.8])
def test_an_honest_model_of_a_changed_city_passes_the_trusted_gate(factor: float) -> None:
    """It was trained on trips that take, say, 35% less, and is judged on those of before."""
    result = trusted_gate(duel(0.35, 0.35, factor=factor), LIMITS)
    assert result.passed, result
    assert result.numbers["level"] == pytest.approx(factor, rel=0.05)


def test_a_model_of_a_city_that_is_half_as_fast_in_a_third_of_it_passes_the_trusted_gate() -> None:
    true = actual()
    third = np.arange(TRIPS) % 3 == 0
    said = answers(true, 0.3, 5) * np.where(third, 1.5, 1.0)
    assert trusted_gate(Duel(true, answers(true, 0.3), said.astype(np.float32)), LIMITS).passed


@pytest.mark.parametrize("nonsense", ["doubled", "x60", "flipped", "constant"])
def test_nonsense_fails_the_trusted_gate(nonsense: str) -> None:
    true = actual()
    order = np.argsort(true)
    flipped = np.empty_like(true)
    flipped[order] = true[order[::-1]]
    said = {"doubled": true * 2.2, "x60": true * 60, "flipped": flipped, "constant": np.full_like(true, 680.0)}[nonsense]
    result = trusted_gate(Duel(true, answers(true, 0.3), said.astype(np.float32)), LIMITS)
    assert not result.passed, result
    assert "times the champion's" in result.reason


def test_answers_that_are_no_numbers_pass_no_gate() -> None:
    true = actual()
    broken = answers(true, 0.3)
    broken[3] = np.nan
    nan = Duel(true, answers(true, 0.3), broken)
    assert not trusted_gate(nan, LIMITS).passed
    assert not window_gate(nan, LIMITS).passed
    assert not slice_gate(nan, {"vendor": np.ones(TRIPS, dtype=np.int64)}, LIMITS).passed
    assert finite_gate(broken) == GateResult(
        "finite", False, "1 of 4,000 answers are no positive number", {"bad": 1.0, "answers": 4000.0}
    )
    assert not finite_gate(np.zeros(3, dtype=np.float32)).passed
    assert finite_gate(answers(true, 0.3)).passed


def test_a_model_that_is_worse_on_the_newest_trips_is_refused() -> None:
    assert not window_gate(duel(0.30, 0.40), LIMITS).passed
    assert window_gate(duel(0.40, 0.30), LIMITS).passed


def test_equals_are_refused_by_the_newest_window_almost_never() -> None:
    assert all(window_gate(duel(0.35, 0.35, seed=seed), LIMITS).passed for seed in range(200))


def test_the_newest_window_forgives_what_chance_makes_of_few_trips() -> None:
    refused = sum(not window_gate(duel(0.35, 0.37, trips=300, seed=seed), LIMITS).passed for seed in range(200))
    assert refused <= 4


def test_without_newer_trips_there_is_nothing_to_compare_by() -> None:
    assert window_gate(duel(0.3, 0.9, trips=0), LIMITS).passed
    assert trusted_gate(duel(0.3, 0.9, trips=0), LIMITS).passed


def test_one_area_that_pays_for_the_rest_is_found_by_name() -> None:
    fair = duel(0.40, 0.30)
    area = np.arange(TRIPS) % 10
    harmed = np.where(area == 7, answers(fair.actual, 0.55, 9), fair.challenger).astype(np.float32)
    given = Duel(fair.actual, fair.champion, harmed)
    assert window_gate(given, LIMITS).passed
    result = slice_gate(given, {"vendor": np.arange(TRIPS) % 2, "area": area}, LIMITS)
    assert not result.passed
    assert result.reason.startswith("worse in area 7: up to 1.")


def test_equals_are_refused_for_a_slice_almost_never_however_many_slices() -> None:
    slices = {"area": np.arange(TRIPS) % 18, "hour": np.arange(TRIPS) // 7 % 5, "vendor": np.arange(TRIPS) // 40 % 2}
    refused = sum(not slice_gate(duel(0.35, 0.35, seed=seed), slices, LIMITS).passed for seed in range(200))
    assert refused <= 2


def test_a_slice_of_few_trips_is_not_judged() -> None:
    given = duel(0.2, 0.9, trips=199)
    result = slice_gate(given, {"area": np.zeros(199, dtype=np.int64)}, LIMITS)
    assert (result.passed, result.reason) == (True, "no slice has enough trips")


def test_scoring_must_not_take_too_long() -> None:
    assert speed_gate(200.0, LIMITS).passed
    assert not speed_gate(200.1, LIMITS).passed
    assert not speed_gate(float("nan"), LIMITS).passed


def test_a_model_that_explains_nothing_or_whose_interval_lies_is_not_sound() -> None:
    assert sound_gate(Scores(5.0, 3.0, 0.7), 0.9).passed
    assert not sound_gate(Scores(5.0, 3.0, -0.1), 0.9).passed
    assert not sound_gate(Scores(5.0, 3.0, 0.7), 0.7).passed


def test_a_refusal_names_the_first_gate_that_did_not_pass() -> None:
    results = [GateResult("a", passed=True, reason="x"), GateResult("b", passed=False, reason="y")]
    assert refusal(results) == "b: y"
    assert refusal(results[:1]) is None
