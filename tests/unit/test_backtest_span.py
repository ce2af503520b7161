"""Which trips a backtest lives through, and where it begins."""

from dataclasses import replace

import numpy as np
import pytest

from batch.backtest_span import month_after, straight
from batch.catalogue import chosen
from domain.entities.trips import TIME, Times, TripColumns
from domain.errors import InvalidInput, NotEnoughTrips
from domain.features import CityClock
from tests.trips import random_trips

CLOCK = CityClock()
HOUR = np.timedelta64(3_600_000_000, "us")


def trips_at(pickup_at: Times) -> TripColumns:
    ids = np.array([f"t{number}" for number in range(len(pickup_at))], dtype=object)
    return replace(random_trips(len(pickup_at)), trip_id=ids, pickup_at=pickup_at.astype(TIME))


def hourly(first: str, hours: int) -> Times:
    return (np.datetime64(first, "us") + np.arange(hours) * HOUR).astype(TIME)


def test_trips_come_in_order_each_once() -> None:
    trips = trips_at(hourly("2020-01-01T05", 72)[::-1])
    twice = TripColumns.concatenate([trips, trips])
    rows = straight(twice, CLOCK)
    assert len(rows) == 72
    assert (np.diff(twice.pickup_at[rows]) > np.timedelta64(0, "us")).all()


def test_strays_with_wrong_clocks_are_left_out() -> None:
    """A meter that believes in 2009, and one that is a year ahead."""
    real = hourly("2020-01-01T05", 24 * 20)
    pickup_at = np.concatenate([hourly("2009-01-01T05", 1), real, hourly("2021-01-03T05", 1)])
    assert straight(trips_at(pickup_at), CLOCK).tolist() == list(range(1, 1 + len(real)))


def test_the_first_model_learns_from_whole_local_months() -> None:
    pickup_at = hourly("2019-01-01T05", 24 * 80)
    assert month_after(pickup_at, CLOCK, 2) == np.datetime64("2019-03-01T05:00", "us")  # midnight in New York


def test_files_that_are_too_short_say_what_to_do() -> None:
    with pytest.raises(NotEnoughTrips, match="--train-until"):
        month_after(hourly("2019-01-01T05", 24 * 30), CLOCK, 2)


def test_candidates_are_chosen_by_name() -> None:
    assert [each.name for each in chosen("all")] == ["linear_regression", "random_forest", "xgboost"]
    assert [each.name for each in chosen("xgboost, linear_regression")] == ["xgboost", "linear_regression"]
    [quick], [usual] = chosen("xgboost-quick"), chosen("xgboost")
    assert float(quick.parameters["trees"]) < float(usual.parameters["trees"])
    with pytest.raises(InvalidInput, match=r"there are .*xgboost-quick"):
        chosen("oracle")
