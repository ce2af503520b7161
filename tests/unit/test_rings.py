"""The sampler's memory as arrays: nothing lost at the turn, sums right, minutes the same after a round trip."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.reads.rings import BUCKETS, Ring, Slot, minute_of, past, quantile_of, slot_of
from domain.entities.service import LATENCY_BUCKETS


def slot(at: float, **more: float) -> Slot:
    latency = np.zeros(BUCKETS, dtype=np.int64)
    latency[3] = int(more.pop("fast", 0))
    lag = {0: more.pop("lag")} if "lag" in more else {}
    return Slot(at=at, known=1.0, received_known=1.0, latency=latency, lag_events=lag, **more)


def test_a_ring_keeps_the_newest_in_order_however_often_it_turns() -> None:
    ring = Ring(10)
    for second in range(57):
        ring.add(slot(float(second), received=float(second)))
        assert len(ring) == min(second + 1, 10)
    assert ring.all().at.tolist() == list(range(47, 57))
    assert ring.between(50, 53).numbers["received"].tolist() == [50, 51, 52]


def test_time_that_went_backwards_changes_nothing() -> None:
    ring = Ring(10)
    for second in (5.0, 6.0, 6.0, 4.0):
        ring.add(slot(second))
    assert ring.all().at.tolist() == [5, 6]


def test_rates_are_over_the_seconds_that_somebody_looked() -> None:
    ring = Ring(100)
    for second in (0, 1, 2, 50, 51):
        ring.add(slot(float(second), scored=10.0))
    assert ring.between(0, 100).rate("scored") == 10
    assert ring.between(10, 40).rate("scored") is None
    assert ring.all().total("scored") == 50


def test_a_partition_that_comes_later_is_unknown_before() -> None:
    ring = Ring(10)
    ring.add(Slot(at=1.0, lag_events={0: 3.0}))
    ring.add(Slot(at=2.0, lag_events={0: 1.0, 5: 4.0}))
    ring.add(Slot(at=3.0))
    assert ring.partitions == [0, 5]
    assert ring.all().lag()[:2].tolist() == [3, 5]
    assert np.isnan(ring.all().lag()[2])


def test_a_minute_is_stored_and_read_back_the_same() -> None:
    ring = Ring(200)
    for second in range(60, 180):
        ring.add(
            slot(float(second), received=3.0, scored=2.0, quarantined=1.0, lag_seconds=0.5, event_time=1e9, fast=2, lag=9.0)
        )
    found = minute_of(ring.all(), ring.partitions, 60.0)
    assert found is not None
    assert (found.seconds_seen, found.received, found.scored, found.quarantined) == (60, 180, 120, 60)
    assert (found.lag_events, found.lag_seconds, found.latency_counts[3]) == ({"0": 9}, 0.5, 120)
    again = slot_of(found)
    assert (again.at, again.received, again.known, again.event_time) == (60.0, 180.0, 60.0, 1e9)
    assert minute_of(ring.all(), ring.partitions, 600.0) is None


def test_the_past_is_by_the_second_where_that_is_known_and_counts_nothing_twice() -> None:
    minutes, seconds = Ring(100), Ring(100)
    for minute in range(10):
        minutes.add(Slot(at=minute * 60.0, received=60.0, received_known=60.0, lag_events={1: 5.0}))
    for second in range(510, 600):
        seconds.add(slot(float(second), received=1.0, lag=2.0))
    found = past(minutes, seconds, 0.0, 600.0)
    assert found.stretch.at[:8].tolist() == [60.0 * minute for minute in range(8)]
    assert found.stretch.total("received") == 8 * 60 + 90
    assert found.partitions == [0, 1]
    assert found.stretch.lag()[[0, -1]].tolist() == [5, 2]


def test_a_quantile_lies_inside_its_bucket_in_proportion() -> None:
    counts = np.zeros(BUCKETS, dtype=np.int64)
    counts[LATENCY_BUCKETS.index(0.02)] = 100
    assert quantile_of(counts, 0.5) == pytest.approx(0.0175)
    assert quantile_of(counts, 0.99) == pytest.approx(0.015 + 0.005 * 0.99)
    assert quantile_of(np.zeros(BUCKETS, dtype=np.int64), 0.5) is None


def test_what_lies_beyond_the_scale_is_at_least_its_end() -> None:
    counts = np.zeros(BUCKETS, dtype=np.int64)
    counts[-1] = 5
    assert quantile_of(counts, 0.5) == LATENCY_BUCKETS[-1]


@given(st.lists(st.floats(0.0001, 299), min_size=1, max_size=200), st.floats(0.01, 1.0))
def test_a_quantile_is_never_outside_the_bucket_that_holds_the_true_one(values: list[float], share: float) -> None:
    where = np.searchsorted(LATENCY_BUCKETS, values, side="left")
    counts = np.bincount(where, minlength=BUCKETS).astype(np.int64)
    found = quantile_of(counts, share)
    true = sorted(values)[max(0, int(np.ceil(share * len(values) - 1e-9)) - 1)]
    bucket = int(np.searchsorted(LATENCY_BUCKETS, true, side="left"))
    low, high = (LATENCY_BUCKETS[bucket - 1] if bucket else 0.0), LATENCY_BUCKETS[bucket]
    assert found is not None
    assert low - 1e-12 <= found <= high + 1e-12
