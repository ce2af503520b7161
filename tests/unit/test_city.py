"""The simulated city is believable, dirty, and always the same for the same seed."""

from datetime import UTC, datetime

import numpy as np
import pytest

from domain.city.city import MINUTE, City, CityTrips
from domain.city.geography import AREA_NAMES, AREAS, areas_named
from domain.entities.rejections import Reason
from domain.entities.trips import CompletionColumns, TripColumns
from domain.features import CityClock
from domain.quality import TripRules, fit_for_training

START = np.datetime64("2025-01-06T12:00:00", "us")
CITY = City(7, CityClock())


@pytest.fixture(scope="module")
def past() -> tuple[TripColumns, CompletionColumns]:
    days = list(CITY.history(60_000, START, 28))
    trips = TripColumns.concatenate([day.trips for day in days])
    return trips, CompletionColumns.concatenate([day.completions for day in days])


def same(a: CityTrips, b: CityTrips) -> bool:
    return (
        a.trips.trip_id.tolist() == b.trips.trip_id.tolist()
        and np.array_equal(a.trips.pickup_latitude, b.trips.pickup_latitude)
        and np.array_equal(a.completions.dropoff_at, b.completions.dropoff_at)
        and np.array_equal(a.chance, b.chance)
    )


def test_a_minute_is_the_same_whenever_and_after_whatever_it_is_made():
    first = CITY.minute(START, 5.0)
    City(7, CityClock()).minute(START + 5 * MINUTE, 5.0)

    assert same(first, City(7, CityClock()).minute(START, 5.0))
    assert not same(first, City(8, CityClock()).minute(START, 5.0))


def test_no_minute_repeats_another():
    one, other = CITY.minute(START, 5.0), CITY.minute(START + MINUTE, 5.0)

    assert not set(one.trips.pickup_latitude) & set(other.trips.pickup_latitude)


def test_a_minutes_trips_begin_in_it_in_order():
    pickup_at = CITY.minute(START, 20.0).trips.pickup_at

    assert len(pickup_at) > 500
    assert (pickup_at[1:] >= pickup_at[:-1]).all()
    assert pickup_at[0] >= START
    assert pickup_at[-1] < START + MINUTE


def test_ids_never_meet(past: tuple[TripColumns, CompletionColumns]):
    minutes = [CITY.minute(START + number * MINUTE, 5.0).trips.trip_id for number in range(3)]
    ids = np.concatenate([past[0].trip_id, *minutes])

    assert len(set(ids)) == len(ids)


def test_the_history_has_exactly_the_trips_asked_for_all_before_its_end(past: tuple[TripColumns, CompletionColumns]):
    trips, _ = past

    assert len(trips) == 60_000
    assert trips.pickup_at.max() < START
    assert trips.pickup_at.min() >= START - np.timedelta64(28, "D")


def test_durations_resemble_those_of_real_trips(past: tuple[TripColumns, CompletionColumns]):
    seconds = past[1].duration_seconds
    usual = seconds[fit_for_training(seconds)] / 60

    assert 10 <= np.median(usual) <= 13
    assert 12 <= usual.mean() <= 16
    assert 7 <= usual.std() <= 12


def test_the_rush_hour_is_slower_than_the_night(past: tuple[TripColumns, CompletionColumns]):
    trips, completions = past
    local = CityClock().local(trips.pickup_at)
    hour = local.astype("datetime64[h]").astype(int) % 24
    weekday = (local.astype("datetime64[D]").astype(int) + 3) % 7 < 5
    seconds = completions.duration_seconds
    usual = fit_for_training(seconds)

    assert np.median(seconds[usual & weekday & (hour == 17)]) > 1.3 * np.median(seconds[usual & weekday & (hour == 3)])


def test_the_dirt_has_its_shares(past: tuple[TripColumns, CompletionColumns]):
    trips, completions = past
    seconds = completions.duration_seconds
    verdicts = TripRules().judge_whole(trips, completions, datetime(2026, 1, 1, tzinfo=UTC))
    endless = seconds > 20 * 3600

    assert 0.004 <= (seconds < 60).mean() <= 0.008
    assert 0.0008 <= endless.mean() <= 0.0019
    assert set(trips.vendor_id[endless]) == {2}
    assert 0 < (verdicts == Reason.COORDINATES_MISSING).mean() < 0.0015
    assert 0 < (verdicts == Reason.OUTSIDE_SERVICE_AREA).mean() < 0.001
    assert (verdicts == None).mean() > 0.998  # noqa: E711 - elementwise
    assert 0.002 <= (trips.pickup_latitude == trips.dropoff_latitude).mean() <= 0.006
    assert (trips.passenger_count == 0).sum() > 0


def test_a_good_model_explains_most_but_not_all(past: tuple[TripColumns, CompletionColumns]):
    """Least squares on log distance and the hour is no good model, yet much better than the mean."""
    from domain.features import features_of

    trips, completions = past
    seconds = completions.duration_seconds
    usual = fit_for_training(seconds) & (TripRules().judge_started(trips, datetime(2026, 1, 1, tzinfo=UTC)) == None)  # noqa: E711
    features, target = features_of(trips.take(usual), CityClock()), np.log(seconds[usual])
    hour = np.eye(168)[(features[:, 10]).astype(int)] if features.shape[1] > 10 else np.ones((len(features), 1))
    inputs = np.column_stack([np.log1p(features[:, 4]), np.log1p(features[:, 5]), hour])
    residual = target - inputs @ np.linalg.lstsq(inputs, target, rcond=None)[0]

    assert 0.25 < residual.std() < 0.8 * target.std()


def test_areas_have_names_that_stand_for_them():
    assert areas_named("whole").all()
    assert areas_named("manhattan").sum() == 4
    assert [AREAS[place].name for place in np.flatnonzero(areas_named("jfk"))] == ["jfk"]
    assert {"whole", "manhattan", "brooklyn"} <= set(AREA_NAMES)
    with pytest.raises(ValueError, match="gotham"):
        areas_named("gotham")
