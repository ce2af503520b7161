"""Lag without the worker: how many events wait, and how old the oldest of them is."""

from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from api.reads.lags import MOST_POINTS, LagClock


def test_events_that_are_rows_do_not_wait() -> None:
    clock = LagClock()
    clock.note(100.0, {0: 7, 1: 0})
    lags = clock.lags(101.0, {0: 7})
    assert {number: (lag.events, lag.seconds) for number, lag in lags.items()} == {0: (0, 0.0), 1: (0, 0.0)}


def test_the_oldest_unread_event_is_as_old_as_the_look_that_first_saw_it() -> None:
    clock = LagClock()
    for second, end in ((100.0, 5), (101.0, 8), (102.0, 8), (103.0, 20)):
        clock.note(second, {0: end})
    assert (clock.lags(110.0, {0: 5})[0].events, clock.lags(110.0, {0: 5})[0].seconds) == (15, 9.0)
    assert clock.lags(110.0, {0: 7})[0].seconds == 9.0
    assert clock.lags(110.0, {0: 8})[0].seconds == 7.0
    assert not clock.lags(110.0, {0: 8})[0].at_least


def test_what_waited_before_we_looked_is_at_least_so_old() -> None:
    clock = LagClock()
    clock.note(100.0, {0: 50})
    lag = clock.lags(130.0, {0: 20})[0]
    assert (lag.events, lag.seconds, lag.at_least) == (30, 30.0, True)
    clock.note(131.0, {0: 60})
    caught_up = clock.lags(140.0, {0: 50})[0]
    assert (caught_up.events, caught_up.seconds, caught_up.at_least) == (10, 9.0, False)


def test_a_partition_that_was_never_read_waits_from_its_beginning() -> None:
    clock = LagClock()
    clock.note(100.0, {3: 12})
    assert clock.lags(101.0, {})[3].events == 12


def test_another_topic_begins_anew() -> None:
    clock = LagClock()
    clock.note(100.0, {0: 500})
    clock.restart()
    clock.note(101.0, {0: 3})
    assert clock.lags(102.0, {0: 0})[0].events == 3


def test_days_of_standstill_fit_into_memory_and_stay_nearly_exact() -> None:
    clock = LagClock()
    for second in range(20 * MOST_POINTS):
        clock.note(float(second), {0: second + 1})
    lag = clock.lags(20.0 * MOST_POINTS, {0: 10 * MOST_POINTS})[0]
    assert lag.events == 10 * MOST_POINTS
    assert abs(lag.seconds - 10 * MOST_POINTS) <= 80  # seconds, of half a day
    assert len(clock._ends[0]) <= MOST_POINTS


@given(
    st.lists(st.tuples(st.floats(0.1, 2.0), st.integers(0, 9)), min_size=2, max_size=40),
    st.data(),
)
def test_no_unread_event_is_said_to_be_younger_than_it_is_or_older_by_more_than_a_look(
    looks: list[tuple[float, int]], data: st.DataObject
) -> None:
    clock, now, end, seen = LagClock(), 100.0, 0, []
    clock.note(now, {0: 0})
    seen.append((now, 0))
    for step, produced in looks:
        now, end = now + step, end + produced
        clock.note(now, {0: end})
        seen.append((now, end))
    stored = data.draw(st.integers(0, end))
    lag = clock.lags(now, {0: stored})[0]
    assert lag.events == end - stored
    if lag.events:
        first = next(after for (_, before), (after, reached) in pairwise(seen) if before <= stored < reached)
        assert np.isclose(lag.seconds, now - first)
