"""Which trips can be true."""

from datetime import UTC, datetime

import numpy as np
import pytest

from domain.entities.canaries import PREFIX, named_so
from domain.entities.rejections import Reason
from domain.entities.trips import CompletionColumns, TripColumns
from domain.quality import ServiceArea, TripRules, fit_for_training
from tests.trips import one_trip, random_trips

NOW = datetime(2020, 1, 1, tzinfo=UTC)


def test_a_plausible_trip_passes():
    assert TripRules().judge_started(one_trip(), NOW).tolist() == [None]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"trip_id": ""}, Reason.TRIP_ID_INVALID),
        ({"trip_id": "x" * 65}, Reason.TRIP_ID_INVALID),
        ({"vendor_id": -1}, Reason.VENDOR_INVALID),
        ({"passenger_count": -1}, Reason.PASSENGER_COUNT_INVALID),
        ({"passenger_count": 10}, Reason.PASSENGER_COUNT_INVALID),
        ({"pickup_latitude": 0.0}, Reason.COORDINATES_MISSING),
        ({"dropoff_longitude": np.nan}, Reason.COORDINATES_MISSING),
        ({"pickup_latitude": 36.1, "pickup_longitude": -115.2}, Reason.OUTSIDE_SERVICE_AREA),
        ({"dropoff_latitude": 41.001}, Reason.OUTSIDE_SERVICE_AREA),
        ({"pickup_at": datetime(2008, 12, 31, tzinfo=UTC)}, Reason.PICKUP_TIME_IMPLAUSIBLE),
        ({"pickup_at": datetime(2020, 1, 2, 0, 0, 1, tzinfo=UTC)}, Reason.PICKUP_TIME_IMPLAUSIBLE),
    ],
)
def test_each_rule_names_its_reason(changes, reason):
    assert TripRules().judge_started(one_trip(**changes), NOW).tolist() == [reason]


def test_zero_passengers_an_unknown_vendor_and_borders_are_real():
    trip = one_trip(vendor_id=0, passenger_count=0, pickup_latitude=40.5, dropoff_longitude=-73.7)
    assert TripRules().judge_started(trip, NOW).tolist() == [None]


def test_the_first_broken_rule_names_the_trip():
    trip = one_trip(vendor_id=-1, pickup_latitude=0.0)
    assert TripRules().judge_started(trip, NOW).tolist() == [Reason.VENDOR_INVALID]


@pytest.mark.parametrize(
    "area", [ServiceArea(51.2, 51.7, -0.5, 0.3), ServiceArea(-1.5, -1.1, 36.6, 37.1), ServiceArea(-1, 1, 9, 10)]
)
def test_in_an_area_that_reaches_zero_a_coordinate_of_zero_is_still_an_unknown_one(area):
    for latitude, longitude in ((area.south, area.east), (0.0, area.east), (area.south, 0.0)):
        places = {"pickup_latitude": area.north, "pickup_longitude": area.west, "dropoff_latitude": latitude}
        trip = one_trip(**places, dropoff_longitude=longitude)
        expected = Reason.COORDINATES_MISSING if 0 in {latitude, longitude} else None
        assert TripRules(area).judge_started(trip, NOW).tolist() == [expected]


def test_no_time_at_all_is_implausible():
    trip = one_trip()
    trip.pickup_at[0] = np.datetime64("NaT")
    assert TripRules().judge_started(trip, NOW).tolist() == [Reason.PICKUP_TIME_IMPLAUSIBLE]


def test_a_bad_trip_does_not_touch_its_neighbours():
    trips = random_trips(100)
    trips.pickup_latitude[50] = 0.0
    verdicts = TripRules().judge_started(trips, NOW)
    assert [position for position, verdict in enumerate(verdicts) if verdict] == [50]


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [
        (-1, Reason.DURATION_NOT_POSITIVE),
        (0, Reason.DURATION_NOT_POSITIVE),
        (1, None),
        (86_400, None),
        (86_401, Reason.DURATION_OVER_24_HOURS),
    ],
)
def test_durations_are_positive_and_at_most_a_day(seconds, reason):
    pickup = np.array(["2016-03-01T17:00:00"], dtype="datetime64[us]")
    completed = CompletionColumns(np.array(["t"], dtype=object), pickup, np.asarray(pickup + np.timedelta64(seconds, "s")))
    assert TripRules().judge_completed(completed, NOW).tolist() == [reason]


def test_training_uses_durations_that_the_city_made():
    assert fit_for_training(np.array([59.0, 60.0, 7200.0, 7201.0])).tolist() == [False, True, True, False]


def canary_of(area: ServiceArea, **changes: object) -> TripColumns:
    return one_trip(trip_id=f"{PREFIX}1", vendor_id=1, passenger_count=1, **area.canary_route()._asdict(), **changes)


@pytest.mark.parametrize("area", [ServiceArea(), ServiceArea(51.2, 51.7, -0.5, 0.3)])
def test_a_canary_passes_in_every_city(area):
    assert TripRules(area).judge_started(canary_of(area), NOW).tolist() == [None]


@pytest.mark.parametrize("changes", [{"vendor_id": 2}, {"passenger_count": 2}, {"dropoff_longitude": -73.9}])
def test_a_trip_that_only_calls_itself_a_canary_is_refused(changes):
    area = ServiceArea()
    trip = {**area.canary_route()._asdict(), "vendor_id": 1, "passenger_count": 1, **changes}
    assert TripRules().judge_started(one_trip(trip_id=f"{PREFIX}1", **trip), NOW).tolist() == [Reason.TRIP_ID_RESERVED]


def test_a_canary_never_ends():
    begun, over = (np.array([f"2016-03-01T17:{minute}:00"] * 2, dtype="datetime64[us]") for minute in ("00", "10"))
    ended = CompletionColumns(np.array([f"{PREFIX}1", f"x{PREFIX}1"], dtype=object), begun, over)
    assert TripRules().judge_completed(ended, NOW).tolist() == [Reason.TRIP_ID_RESERVED, None]


def test_the_prefix_counts_at_the_beginning_alone():
    ids = np.array(["a", f"a\n{PREFIX}b", f"{PREFIX}c"], dtype=object)
    assert named_so(ids[:1]) is None
    found = named_so(ids)
    assert found is not None
    assert found.tolist() == [False, False, True]
