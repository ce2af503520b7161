"""How far the stream is: as far as its slowest partition, whatever single clocks say."""

import numpy as np
import pytest

from domain.loop.tracker import ReportedSpan, Tracker
from domain.policy import Timing
from domain.sums import Tally
from tests.tallied import at, begun, whole
from tests.trips import random_trips

NOON = 24280560  # 2016-03-01 12:00 UTC, in minutes since 1970
HOUR = 60


def _pickups(minutes: list[int]) -> Tally:
    trips = random_trips(len(minutes))
    trips.pickup_at[:] = (NOON + np.array(minutes)).astype("datetime64[m]")
    return begun(trips)


def _tell(tracker: Tracker, minutes: list[int], partition: int = 0, *, caught_up: bool = True) -> int | None:
    first = tracker.reaches[partition].next_offset if partition in tracker.reaches else 0
    newest = (NOON + max(minutes)) * 60_000_000
    tracker.add([ReportedSpan(partition, first, first + len(minutes), newest, caught_up)], _pickups(minutes))
    watermark = tracker.watermark()
    return None if watermark is None else watermark - NOON


@pytest.fixture
def tracker() -> Tracker:
    return Tracker(Timing())


def test_a_report_that_spans_days_is_believed_to_its_end(tracker: Tracker) -> None:
    assert _tell(tracker, [0]) == 0
    assert _tell(tracker, list(range(10, 60 * HOUR, 50))) == max(range(10, 60 * HOUR, 50))


@pytest.mark.parametrize("first", [[0, 5, 8], [0, 1, 2, 3 * 24 * HOUR]])
def test_a_wrong_clock_moves_nothing_however_often_it_comes(tracker: Tracker, first: list[int]) -> None:
    _tell(tracker, first)
    for number in range(10):
        assert _tell(tracker, [10 * number + 10, 10 * number + 11, 10 * number + 4000]) == 10 * number + 11


def test_an_outage_of_the_producers_is_believed_after_several_reports(tracker: Tracker) -> None:
    _tell(tracker, [0, 1])
    seen = [_tell(tracker, [10 * HOUR + number]) for number in range(4)]
    assert seen == [1, 1, 10 * HOUR + 2, 10 * HOUR + 3]


def test_the_stream_is_as_far_as_the_slowest_that_has_more_to_read(tracker: Tracker) -> None:
    _tell(tracker, [0, 100])
    assert _tell(tracker, [0, 30], partition=1, caught_up=False) == 30
    assert _tell(tracker, [40], partition=1, caught_up=True) == 100


def test_a_step_has_its_own_minutes_and_the_cohort_that_became_mature() -> None:
    tracker, trips = Tracker(Timing()), at(random_trips(400), "2016-03-01T12:00:00", 60)
    tracker.add([ReportedSpan(0, 0, 800, (NOON + 399) * 60_000_000, caught_up=True)], whole(trips))
    steps = tracker.closable()
    assert [step.minute for step in steps] == list(range(NOON + 5, NOON + 395, 5))
    assert all(int(step.inputs.trips.sum()) == 5 for step in steps)
    assert [int(step.mature.started.sum()) for step in steps] == [0] * 24 + [5] * (len(steps) - 24)
    assert tracker.closable() == []


def test_the_first_step_is_where_the_stream_began_and_not_where_a_clock_was_wrong(tracker: Tracker) -> None:
    _tell(tracker, [-9000, *range(3, 40 * HOUR, 30)])
    assert tracker.closable()[0].minute == NOON + 5


def test_a_partition_that_is_days_ahead_of_another_loses_nothing(tracker: Tracker) -> None:
    _tell(tracker, list(range(0, 60 * HOUR, 30)), partition=0)
    for hour in range(0, 60, 4):
        _tell(tracker, [hour * HOUR + minute for minute in range(0, 4 * HOUR, 30)], partition=1, caught_up=False)
        seen = sum(int(step.inputs.trips.sum()) for step in tracker.closable())
        assert seen == (16 if hour else 14)
