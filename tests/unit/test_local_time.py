"""The nights on which New York's clocks change."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.files.local_time import localise
from domain.features import CityClock

CLOCK = CityClock()


def utc_of(pickup: str, dropoff: str, stated: float | None = None) -> tuple[str, str]:
    pickup_at, dropoff_at = (np.array([f"2016-11-06T{time}"], dtype="datetime64[us]") for time in (pickup, dropoff))
    real = localise(pickup_at, dropoff_at, None if stated is None else np.array([stated]), CLOCK)
    assert not real.skipped[0]
    return str(real.pickup_at[0])[11:16], str(real.dropoff_at[0])[11:16]


@pytest.mark.parametrize(
    ("pickup", "dropoff", "expected"),
    [
        ("00:40", "00:55", ("04:40", "04:55")),
        ("00:50", "01:10", ("04:50", "05:10")),  # the first 1:10 comes after 20 minutes
        ("01:10", "01:30", ("05:10", "05:30")),  # a tie: the first occurrence
        ("01:50", "01:10", ("05:50", "06:10")),  # only the second 1:10 lies after 1:50
        ("01:45", "02:05", ("06:45", "07:05")),  # from the second 1:45 it is 20 minutes, from the first 80
        ("02:10", "02:30", ("07:10", "07:30")),
    ],
)
def test_without_a_stated_duration_the_shortest_reading_counts(pickup: str, dropoff: str, expected: tuple[str, str]):
    assert utc_of(pickup, dropoff) == expected


@pytest.mark.parametrize(
    ("pickup", "dropoff", "stated", "expected"),
    [
        ("01:10", "01:30", 20 * 60, ("05:10", "05:30")),
        ("01:10", "01:30", 80 * 60, ("05:10", "06:30")),
        ("01:45", "02:05", 80 * 60, ("05:45", "07:05")),
        ("00:50", "01:10", 80 * 60, ("04:50", "06:10")),
        ("00:50", "01:10", 999, ("04:50", "05:10")),  # agrees with none
    ],
)
def test_a_stated_duration_decides(pickup: str, dropoff: str, stated: float, expected: tuple[str, str]):
    assert utc_of(pickup, dropoff, stated) == expected


def test_a_time_that_spring_skips_never_was():
    local = np.array(["2016-03-13T01:59:59", "2016-03-13T02:00:00", "2016-03-13T02:59:59", "2016-03-13T03:00:00"], "M8[us]")

    evening = np.full(4, np.datetime64("2016-03-13T20:00:00", "us"))
    morning = np.full(4, np.datetime64("2016-03-13T00:30:00", "us"))

    assert localise(local, evening, None, CLOCK).skipped.tolist() == [False, True, True, False]
    assert localise(morning, local, None, CLOCK).skipped.tolist() == [False, True, True, False]


@given(st.integers(1_230_768_000, 1_900_000_000))
def test_local_time_and_back_is_the_same_instant_but_for_the_hour_that_comes_twice(second: int):
    utc = np.array([second], dtype="datetime64[s]").astype("datetime64[us]")
    local = CLOCK.local(utc)

    back = localise(local, local, None, CLOCK)

    assert not back.skipped[0]
    assert CLOCK.local(back.pickup_at)[0] == local[0]
    assert back.pickup_at[0] in (utc[0], utc[0] - np.timedelta64(3600, "s"))
