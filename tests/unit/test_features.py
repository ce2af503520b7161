"""The model's inputs: known values, and the promise that a trip's inputs are the same bits however it arrives."""

from dataclasses import fields, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.entities.trips import SECOND, TripColumns
from domain.features import CLASSIC_FEATURES, FEATURES, CityClock, classic_features_of, feature_schema, features_of
from tests.trips import one_trip, random_trips

NEW_YORK = CityClock()
NIGHTS = ("2016-03-13T05:00:00", "2016-11-06T04:00:00", "2016-02-28T22:00:00", "2019-12-31T22:00:00", "2016-06-01T00:00:00")


def feature(name: str, **trip: object) -> float:
    return float(features_of(one_trip(**trip), NEW_YORK)[0, FEATURES.index(name)])


@st.composite
def trips(draw: st.DrawFn) -> TripColumns:
    """Trips anywhere in the box, around the nights on which clocks or calendars change."""
    count = draw(st.integers(1, 40))
    columns = random_trips(count, seed=draw(st.integers(0, 2**16)))
    night = np.datetime64(draw(st.sampled_from(NIGHTS)), "us")
    offsets = draw(st.lists(st.integers(-7200, 14_400), min_size=count, max_size=count))
    columns = replace(columns, pickup_at=night + np.array(offsets) * SECOND)
    if draw(st.booleans()):  # nobody moved: no distance, no bearing
        columns = replace(columns, dropoff_latitude=columns.pickup_latitude, dropoff_longitude=columns.pickup_longitude)
    return columns


@given(trips(), st.integers(1, 7))
def test_a_trips_inputs_are_the_same_bits_alone_in_a_part_and_in_the_whole(columns: TripColumns, size: int) -> None:
    for compute in (features_of, classic_features_of):
        whole = compute(columns, NEW_YORK)
        parts = [
            compute(columns.take(np.arange(first, min(first + size, len(columns)))), NEW_YORK)
            for first in range(0, len(columns), size)
        ]
        assert np.array_equal(np.concatenate(parts).view(np.uint32), whole.view(np.uint32))
        assert np.isfinite(whole).all()


@given(trips())
def test_the_layout_of_the_arrays_does_not_matter(columns: TripColumns) -> None:
    strided = TripColumns(*(np.repeat(getattr(columns, field.name), 3)[::3] for field in fields(columns)))
    assert np.array_equal(features_of(strided, NEW_YORK), features_of(columns, NEW_YORK))


@given(st.datetimes(datetime(2009, 1, 1), datetime(2030, 1, 1)), st.sampled_from(["America/New_York", "Europe/Berlin", "UTC"]))  # noqa: DTZ001 - hypothesis draws naive times, read as UTC here
def test_local_time_is_what_the_standard_library_says(naive: datetime, zone: str) -> None:
    utc = np.array([np.datetime64(naive, "us")])
    expected = naive.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    assert CityClock(zone).local(utc)[0] == np.datetime64(expected, "us")


@pytest.mark.parametrize(
    ("utc", "minute_of_day", "hour_of_week"),
    [
        ("2016-03-13T06:59:59", 119, 6 * 24 + 1),  # Sunday 01:59:59 EST
        ("2016-03-13T07:00:00", 180, 6 * 24 + 3),  # one second later it is 03:00 EDT
        ("2016-11-06T05:30:00", 90, 6 * 24 + 1),  # 01:30 EDT
        ("2016-11-06T06:30:00", 90, 6 * 24 + 1),  # an hour later it is 01:30 again, EST
    ],
)
def test_the_clock_changes_when_new_yorks_does(utc: str, minute_of_day: int, hour_of_week: int) -> None:
    at = np.datetime64(utc, "us")
    assert int(feature("minute_of_day", pickup_at=at)) == minute_of_day
    assert feature("hour_of_week", pickup_at=at) == hour_of_week


def test_days_off_are_weekends_and_holidays() -> None:
    """Memorial Day 2016 was Monday, 30 May; the Monday before was a working day."""
    for day, weekday, holiday, off in [("2016-05-30", 0, 1, 1), ("2016-05-23", 0, 0, 0), ("2016-05-28", 5, 0, 1)]:
        noon = np.datetime64(f"{day}T16:00:00", "us")
        assert [feature(name, pickup_at=noon) for name in ("day_of_week", "is_holiday", "is_day_off")] == [
            weekday,
            holiday,
            off,
        ]


def test_a_leap_day_belongs_to_february() -> None:
    late = np.datetime64("2016-03-01T04:30:00", "us")  # 29 February, 23:30 in New York
    assert (feature("month", pickup_at=late), feature("day_of_week", pickup_at=late)) == (2, 0)


def test_a_mile_along_fifth_avenue_is_along_the_avenues() -> None:
    """From 42nd to 62nd Street: twenty blocks of about 80 m, and hardly anything across."""
    trip = {
        "pickup_latitude": 40.75323,
        "pickup_longitude": -73.98098,
        "dropoff_latitude": 40.76584,
        "dropoff_longitude": -73.97178,
    }
    assert feature("along_km", **trip) == pytest.approx(1.60, abs=0.05)
    assert abs(feature("across_km", **trip)) < 0.06
    assert feature("distance_km", **trip) == pytest.approx(1.60, abs=0.05)


def test_the_great_circle_distance_is_the_known_one() -> None:
    """JFK to LaGuardia airport, by an independent formula: the spherical law of cosines."""
    a, b = np.radians([40.6413, -73.7781]), np.radians([40.7769, -73.8740])
    angle = np.arccos(np.sin(a[0]) * np.sin(b[0]) + np.cos(a[0]) * np.cos(b[0]) * np.cos(a[1] - b[1]))
    trip = {
        "pickup_latitude": 40.6413,
        "pickup_longitude": -73.7781,
        "dropoff_latitude": 40.7769,
        "dropoff_longitude": -73.8740,
    }
    assert feature("distance_km", **trip) == pytest.approx(6371.0088 * angle, rel=1e-5)


def test_classic_inputs_are_the_courses() -> None:
    friday_evening = np.datetime64("2016-03-04T22:30:00", "us")  # 17:30 in New York
    row = dict(
        zip(CLASSIC_FEATURES, classic_features_of(one_trip(pickup_at=friday_evening), NEW_YORK)[0].tolist(), strict=True)
    )
    assert (row["hour_of_day"], row["day_of_week"], row["month"]) == (17, 4, 3)
    assert (row["is_weekend"], row["is_rush_hour"]) == (0, 1)


def test_the_schema_follows_the_clock() -> None:
    assert feature_schema(NEW_YORK) == feature_schema(CityClock())
    assert feature_schema(NEW_YORK) != feature_schema(CityClock("Europe/Berlin"))
