"""The index of trips that run: bounded, each given once."""

import numpy as np
import pytest

from domain.areas import AreaGrid
from domain.entities.predictions import PredictionColumns
from domain.tallies import ScoredTrips, scored_trips
from stream.pending import PendingStarts
from tests.trips import random_trips


def trips(count: int, seed: int = 0) -> ScoredTrips:
    made = random_trips(count, seed)
    seconds = np.arange(count, dtype=np.float32)
    return scored_trips(made, PredictionColumns(made.trip_id, seconds, seconds, seconds), 1, AreaGrid())


def ids(*names: str) -> np.ndarray:
    return np.array(names, dtype=object)


def test_a_trip_comes_back_as_it_was_once() -> None:
    pending, started = PendingStarts(10), trips(5)
    pending.add(started)
    found, known = pending.take(ids("t0-3", "other", "t0-1"))
    assert known.tolist() == [True, False, True]
    assert found.trip_id.tolist() == ["t0-3", "t0-1"]
    assert found.duration_seconds.tolist() == [3.0, 1.0]
    assert found.pickup_at.tolist() == started.take(np.array([3, 1])).pickup_at.tolist()
    assert pending.take(ids("t0-3"))[1].tolist() == [False]
    assert len(pending) == 3


def test_nothing_is_found_where_nothing_is() -> None:
    found, known = PendingStarts(10).take(ids("a"))
    assert (len(found), known.tolist()) == (0, [False])


@pytest.mark.parametrize("together", [1, 3, 4, 7, 25])
def test_the_oldest_are_forgotten_however_they_came(together: int) -> None:
    pending, started = PendingStarts(7), trips(25)
    for first in range(0, 25, together):
        pending.add(started.take(np.arange(first, min(first + together, 25))))
    assert len(pending) == 7
    _, known = pending.take(started.trip_id)
    assert np.flatnonzero(known).tolist() == list(range(18, 25))
    assert len(pending) == 0


def test_room_that_a_finished_trip_leaves_does_no_harm_to_the_next() -> None:
    pending = PendingStarts(4)
    for seed in range(6):
        started = trips(3, seed)
        pending.add(started)
        found, known = pending.take(started.trip_id[:2])
        assert known.all()
        assert found.trip_id.tolist() == started.trip_id[:2].tolist()
    assert len(pending) <= 4
    assert pending.take(ids("t5-2"))[1].tolist() == [True]
