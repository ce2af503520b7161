"""Which months a batch's look-ups see."""

from datetime import UTC, datetime, timedelta

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from adapters.postgres.tables.months import bounds_of, months_of, windows_of
from domain.entities.trips import TIME, times_of

MOMENTS = st.integers(0, 18 * 365 * 24 * 3600).map(
    lambda seconds: datetime(2009, 1, 1, tzinfo=UTC) + timedelta(seconds=seconds)
)
DAY = timedelta(days=1)


@given(st.lists(MOMENTS, max_size=30))
def test_every_pickup_is_looked_for_in_whole_months_a_day_around_it_and_no_further(moments: list[datetime]) -> None:
    seen: list[int] = []
    for window in windows_of(times_of(moments)):
        assert (window.since.day, window.until.day) == (1, 1)
        for row in window.rows.tolist():
            assert window.since <= moments[row] - DAY < moments[row] + DAY < window.until
            assert window.until - window.since <= timedelta(days=62)
        seen += window.rows.tolist()
    assert sorted(seen) == list(range(len(moments)))


def test_a_batch_within_a_month_is_one_look_up() -> None:
    [window] = windows_of(times_of([datetime(2016, 3, 2, tzinfo=UTC), datetime(2016, 3, 30, tzinfo=UTC)]))
    assert (window.since, window.until) == (datetime(2016, 3, 1, tzinfo=UTC), datetime(2016, 4, 1, tzinfo=UTC))
    assert window.rows.tolist() == [0, 1]


def test_a_pickup_of_the_last_day_is_looked_for_in_the_next_month_too() -> None:
    [window] = windows_of(times_of([datetime(2016, 12, 31, 12, tzinfo=UTC)]))
    assert (window.since, window.until) == (datetime(2016, 12, 1, tzinfo=UTC), datetime(2017, 2, 1, tzinfo=UTC))


@given(st.lists(MOMENTS, min_size=1, max_size=30))
def test_months_and_bounds_hold_every_pickup(moments: list[datetime]) -> None:
    times = times_of(moments)
    assert {str(month) for month in months_of(times)} == {f"{moment:%Y-%m}" for moment in moments}
    since, until = bounds_of(times)
    assert since <= min(moments)
    assert max(moments) < until


def test_nothing_lies_in_no_month() -> None:
    assert months_of(np.empty(0, TIME)) == set()
    assert list(windows_of(np.empty(0, TIME))) == []
