"""What a training learns from and what it is judged by."""

import numpy as np

from batch.recipe import recipe_of

HOUR = np.timedelta64(3_600_000_000, "us")
PICKUPS = np.datetime64("2020-01-01T00:00:00", "us") + np.arange(10_000) * HOUR


def test_the_newest_fifth_is_held_out() -> None:
    recipe = recipe_of(PICKUPS)
    assert (len(recipe.learned), len(recipe.held_out)) == (8000, 2000)
    assert PICKUPS[recipe.learned].max() < PICKUPS[recipe.held_out].min()
    assert recipe.weights_of(recipe.learned) is None


def test_what_the_champion_knows_is_not_held_out() -> None:
    recipe = recipe_of(PICKUPS, known_until=PICKUPS[8999])
    assert recipe.held_out.tolist() == list(range(9000, 10_000))
    assert recipe.learned.tolist() == list(range(9000))


def test_after_a_break_two_thirds_of_the_trips_since_then_are_learnt_from() -> None:
    recipe = recipe_of(PICKUPS, since_break=PICKUPS[9400])
    assert int((PICKUPS[recipe.learned] >= PICKUPS[9400]).sum()) == 401
    assert len(recipe.held_out) == 199


def test_a_bound_that_would_leave_too_few_gives_way() -> None:
    assert len(recipe_of(PICKUPS, known_until=PICKUPS[-10]).held_out) == 2000
    assert len(recipe_of(PICKUPS, known_until=PICKUPS[-1]).held_out) == 2000
    assert len(recipe_of(PICKUPS, since_break=PICKUPS[-1] + HOUR).held_out) == 2000
    assert len(recipe_of(PICKUPS, since_break=PICKUPS[0]).held_out) == 2000


def test_every_trip_is_learnt_from_or_held_out() -> None:
    recipe = recipe_of(PICKUPS, since_break=PICKUPS[9000], known_until=PICKUPS[8800])
    assert sorted([*recipe.learned.tolist(), *recipe.held_out.tolist()]) == list(range(10_000))
