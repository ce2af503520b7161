"""What a training learns from and what it is judged by."""

import numpy as np
import pytest

from batch.recipe import OLDER_WEIGHT, Break, Pickups, Recipe, recipe_by_pickup, recipe_of
from domain.entities.trips import Floats

HOUR = np.timedelta64(3_600_000_000, "us")
PICKUPS = np.datetime64("2020-01-01T00:00:00", "us") + np.arange(10_000) * HOUR
SECONDS = np.linspace(300.0, 900.0, len(PICKUPS))


def recipe(known_until: np.datetime64 | None = None, since: np.datetime64 | None = None, factor: float = 1.5) -> Recipe:
    """Of trips that take `factor` times as long since the break as the champion says, who had been right before."""
    if since is None:
        return recipe_of(PICKUPS, SECONDS, known_until=known_until)
    answers = np.where(since <= PICKUPS, SECONDS / factor, SECONDS)
    return recipe_of(PICKUPS, SECONDS, known_until=known_until, change=Break(since, answers.astype(np.float32)))


def test_the_newest_fifth_is_held_out() -> None:
    made = recipe()
    assert (len(made.learned.rows), len(made.held_out)) == (8000, 2000)
    assert PICKUPS[made.learned.rows].max() < PICKUPS[made.held_out].min()
    assert made.learned.weights is None
    assert np.array_equal(made.everything.seconds, SECONDS)


def test_what_the_champion_knows_is_not_held_out() -> None:
    made = recipe(known_until=PICKUPS[8999])
    assert made.held_out.tolist() == list(range(9000, 10_000))
    assert made.learned.rows.tolist() == list(range(9000))


def test_after_a_break_two_thirds_of_the_trips_since_then_are_learnt_from() -> None:
    made = recipe(since=PICKUPS[9400])
    assert int((PICKUPS[made.learned.rows] >= PICKUPS[9400]).sum()) == 401
    assert len(made.held_out) == 199


def test_a_bound_that_would_leave_too_few_gives_way() -> None:
    assert len(recipe(known_until=PICKUPS[-10]).held_out) == 2000
    assert len(recipe(known_until=PICKUPS[-1]).held_out) == 2000
    assert len(recipe(since=PICKUPS[-1]).held_out) == 2000
    assert len(recipe(since=PICKUPS[0]).held_out) == 2000


def test_every_trip_is_learnt_from_or_held_out() -> None:
    made = recipe(since=PICKUPS[9000], known_until=PICKUPS[8800])
    first = 9000 - 120 * 24
    assert sorted([*made.learned.rows.tolist(), *made.held_out.tolist()]) == list(range(first, 10_000))
    assert made.everything.rows.tolist() == list(range(first, 10_000))


def test_trips_of_before_a_break_are_learnt_with_the_durations_that_they_would_have_now() -> None:
    made = recipe(since=PICKUPS[9000], factor=1.5)
    for lesson in (made.learned, made.common, made.everything):
        old = PICKUPS[lesson.rows] < PICKUPS[9000]
        assert np.allclose(lesson.seconds[old], SECONDS[lesson.rows][old] * 1.5, rtol=1e-6)
        assert np.array_equal(lesson.seconds[~old], SECONDS[lesson.rows][~old])
        assert lesson.weights is not None
        assert set(lesson.weights[old].tolist()) == {OLDER_WEIGHT}
        assert set(lesson.weights[~old].tolist()) == {1.0}


def test_the_change_is_told_without_the_trips_that_judge() -> None:
    """Were the held-out trips heard, the judged model would know their level."""
    since = PICKUPS[9400]
    answers = np.where(since <= PICKUPS, SECONDS / 1.5, SECONDS).astype(np.float32)
    answers[recipe(since=since).held_out] = 1.0
    made = recipe_of(PICKUPS, SECONDS, change=Break(since, answers))
    old = PICKUPS[made.learned.rows] < since
    assert np.allclose(made.learned.seconds[old], SECONDS[made.learned.rows][old] * 1.5, rtol=1e-6)


def test_trips_of_long_before_a_break_are_left_out() -> None:
    made = recipe(since=PICKUPS[9000])
    assert PICKUPS[made.everything.rows].min() == PICKUPS[9000 - 120 * 24]


def test_nothing_is_held_out_twice_nor_learnt_and_held_out() -> None:
    made = recipe(since=PICKUPS[9000])
    assert not set(made.learned.rows.tolist()) & set(made.held_out.tolist())
    assert not set(made.common.rows.tolist()) & set(made.usual.tolist())


def test_what_is_normal_is_told_by_a_random_part_of_trips_as_they_are_now() -> None:
    made = recipe()
    assert len(made.usual) == 2000
    assert made.usual.min() < 100
    assert not set(made.usual.tolist()) & set(made.common.rows.tolist())
    after = recipe(since=PICKUPS[9000])
    assert after.current.tolist() == list(range(9000, 10_000))
    assert len(after.usual) == 500
    assert after.usual.min() >= 9000


def test_a_change_of_one_area_and_of_one_band_is_told_apart() -> None:
    """Half the trips start in area 1 and take 50% longer since the change, those of band 2 another 20%."""
    rng = np.random.default_rng(5)
    area, band = rng.integers(0, 2, 40_000), rng.integers(0, 5, 40_000)
    new = np.arange(40_000) >= 20_000
    truth = np.where(area == 1, np.log(1.5), 0.0) + np.where(band == 2, np.log(1.2), 0.0)
    log_ratio = truth * new + rng.normal(0, 0.1, 40_000)
    found = corrections(log_ratio, new, area, band)
    assert np.abs(found - truth[~new]).max() < 0.03


def test_few_trips_of_an_area_say_little_of_it() -> None:
    """Five of them take e times as long, 500 of the other area as long as ever."""
    area = np.array([0] * 1000 + [1] * 1000 + [0] * 500 + [1] * 5)
    new = np.arange(2505) >= 2000
    found = corrections(np.where(np.arange(2505) >= 2500, 1.0, 0.0), new, area)
    assert 0.0 < found[-1] < 0.05


def corrections(log_ratio: Floats, new: np.ndarray, *groups: np.ndarray) -> Floats:
    """By how much ln(seconds) of old trips is corrected; `log_ratio` is what trips take beyond the champion's word."""
    pickup_at = np.where(new, PICKUPS[5000], PICKUPS[4999])
    seconds = np.full(len(new), 600.0)
    answers = (seconds / np.exp(log_ratio)).astype(np.float32)
    lesson = recipe_of(pickup_at, seconds, change=Break(PICKUPS[5000], answers, groups)).everything
    return np.asarray(np.log(lesson.seconds[: int((~new).sum())] / 600.0))


def test_a_recipe_by_pickup_divides_as_the_one_by_rows_and_says_so_to_others() -> None:
    order = np.argsort(PICKUPS, kind="stable")
    pickups, seconds = PICKUPS[order], SECONDS[order]
    by_rows, by_pickup = recipe_of(pickups, seconds), recipe_by_pickup(pickups, seconds)
    assert np.array_equal(by_pickup.held_out, by_rows.held_out)
    assert np.array_equal(by_pickup.learned.rows, by_rows.learned.rows)
    assert np.array_equal(by_pickup.everything.rows, by_rows.everything.rows)
    for lesson in (by_pickup.learned, by_pickup.everything, by_pickup.common):
        assert lesson.pickups is not None
        assert np.array_equal(np.flatnonzero(lesson.pickups.among(pickups)), lesson.rows)
    assert not np.intersect1d(by_pickup.common.rows, by_pickup.usual).size
    assert len(by_pickup.common.rows) + len(by_pickup.usual) == len(pickups)
    assert len(by_pickup.usual) == pytest.approx(len(by_rows.usual), rel=0.1)


def test_a_share_of_instants_is_drawn_evenly_through_the_day() -> None:
    seconds = np.datetime64("2025-03-01T00:00:00", "us") + np.arange(86_400) * np.timedelta64(1, "s")
    kept = Pickups(without=0.2).among(seconds)
    by_hour = kept.reshape(24, 3600).mean(axis=1)
    assert np.all(np.abs(by_hour - 0.8) < 0.03)
