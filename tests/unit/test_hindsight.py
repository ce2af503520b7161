"""A watermark counts when it is a moment old, and never when it has gone back since."""

import time

import pytest

from stream.hindsight import Hindsight


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def test_a_watermark_counts_when_it_is_old_enough(clock: list[float]) -> None:
    seen = Hindsight(1.0)
    assert [seen(None), seen(50)] == [None, None]
    assert not seen.settled
    clock[0] += 0.5
    assert seen(60) is None
    clock[0] += 0.5
    assert seen(60) == 50
    clock[0] += 0.5
    assert (seen(60), seen.settled) == (60, True)


def test_a_watermark_that_went_back_takes_the_older_one_with_it(clock: list[float]) -> None:
    seen = Hindsight(1.0)
    seen(50)
    clock[0] += 0.9
    assert seen(20) is None  # a partition that had said nothing is behind
    clock[0] += 0.2
    assert seen(20) == 20
    clock[0] += 5
    assert seen(None) is None


def test_a_watermark_that_rises_again_and_again_counts_all_the_same(clock: list[float]) -> None:
    seen = Hindsight(1.0)
    found = []
    for minute in range(100):
        clock[0] += 0.125
        found.append(seen(minute))
    assert found[-1] == 91
