from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from dashboard.figures import said

CITY = ZoneInfo("America/New_York")
NOON = datetime(2026, 3, 2, 17, tzinfo=UTC)


def test_one_trip_and_several_trips():
    assert said.several(1, "trip") == "1 trip"
    assert said.several(1234, "trip") == "1\u2009234 trips"
    assert said.several(2, "event was", "events were") == "2 events were"


def test_how_long_ago_something_was():
    assert said.ago(NOON - timedelta(minutes=3), NOON) == "3 min ago"
    assert said.ago(None, NOON) == "never"


def test_a_sentence_begins_with_a_capital_and_keeps_its_abbreviations():
    assert said.sentence("the bytes are not JSON") == "The bytes are not JSON"
    assert said.sentence("") == ""


def test_moments_are_told_in_the_readers_zone():
    assert said.minute(NOON, CITY) == "2 Mar 2026, 12:00"
    assert said.day(datetime(2026, 3, 2, 3, tzinfo=UTC), CITY) == "1 Mar 2026"


def test_a_time_on_the_citys_clocks_is_a_moment():
    assert said.city_instant("2026-07-01 12:00:00", CITY) == datetime(2026, 7, 1, 16, tzinfo=UTC)
    assert said.city_instant("2026-01-01T12:00", CITY) == datetime(2026, 1, 1, 17, tzinfo=UTC)


def test_of_an_hour_that_comes_twice_the_earlier_is_meant():
    assert said.city_instant("2026-11-01 01:30:00", CITY).astimezone(UTC) == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


@pytest.mark.parametrize("text", ["2026-03-08 02:30:00", "yesterday", "", "2026-03-02T12:00:00+01:00"])
def test_what_is_no_time_of_the_city_is_refused(text):
    with pytest.raises(ValueError, match=r"."):
        said.city_instant(text, CITY)
