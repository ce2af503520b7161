"""Tallies: the numbers of a plain loop, and the same sums however the stream is cut and in whatever order they are merged."""

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.areas import AreaGrid
from domain.entities.predictions import PredictionColumns
from domain.entities.trips import TIME, Times
from domain.sums import Places, Tally
from domain.tallies import LATE_SECONDS, ScoredTrips, late_of, scored_trips, tally_of
from tests.plain_tallies import PlainTally, plain_trips, sums_of
from tests.trips import random_trips

SHORT_DAY = 3 * 3600  # seconds


def scored(count: int, seed: int, *, shadow: bool | None = True) -> ScoredTrips:
    """Trips of three hours, nearly in order; two versions of the champion, and a shadow (None: for about half of them)."""
    rng = np.random.default_rng(seed)
    trips = random_trips(count, seed)
    order = np.sort(rng.uniform(0, SHORT_DAY, count)) + rng.normal(0, 600, count)
    pickup_at = np.datetime64("2016-03-01T17:00:00", "us") + (order * 1e6).astype("timedelta64[us]")
    trips = replace(trips, pickup_at=pickup_at.astype(TIME))
    predictions, shadowed = (_predictions(trips.trip_id, rng) for _ in range(2))
    made = scored_trips(trips, predictions, 3, AreaGrid(), (4, shadowed) if shadow is not False else None)
    versions = np.where(rng.uniform(size=count) < 0.5, 3, 5).astype(np.int32)
    return replace(
        made, version=versions, shadow_version=_some(made.shadow_version, rng) if shadow is None else made.shadow_version
    )


def _predictions(trip_id: np.ndarray, rng: np.random.Generator) -> PredictionColumns:
    seconds = (rng.integers(4, 450, len(trip_id)) * 20).astype(np.float32)  # often the very edge of a bin
    return PredictionColumns(trip_id, seconds, seconds * np.float32(0.6), seconds * np.float32(1.7))


def _some(versions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.where(rng.uniform(size=len(versions)) < 0.5, versions, 0).astype(np.int32)


def dropoffs(trips: ScoredTrips, seed: int) -> Times:
    seconds = np.random.default_rng(seed).integers(1, 3 * 3600, len(trips))
    return np.asarray(trips.pickup_at + seconds.astype("timedelta64[s]"), dtype=TIME)


def test_the_numbers_are_those_of_a_plain_loop() -> None:
    started, settled = scored(300, 1, shadow=None), scored(200, 2, shadow=None)
    dropoff_at = dropoffs(settled, 3)
    plain = PlainTally()
    for trip in plain_trips(started):
        plain.start(trip)
    for trip, dropoff in zip(plain_trips(settled), dropoff_at.astype(np.int64).tolist(), strict=True):
        plain.end(trip, dropoff)
    tally = tally_of(started, settled, dropoff_at)
    assert sums_of(tally) == plain.sums
    assert tally.inputs.late.sum() > 0
    assert len(np.unique(tally.places.area)) > 1
    assert tally.places.trips.sum() == 2 * len(started)
    assert 0 < tally.cells.covered.sum() < tally.cells.settled.sum()


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 60), st.integers(0, 60), st.lists(st.integers(0, 60), max_size=5), st.randoms(use_true_random=False))
def test_any_cuts_and_any_order_of_merging_give_equal_sums(begun: int, ended: int, cuts: list[int], chance: object) -> None:
    started, settled = scored(begun, begun, shadow=None), scored(ended, 100 + ended, shadow=None)
    dropoff_at, parts = dropoffs(settled, 7), []
    for first, until in zip([0, *sorted(cuts)], [*sorted(cuts), 60], strict=True):
        rows, ends = _rows(first, until, begun), _rows(first, until, ended)
        newest = started.pickup_at[:first].max() if first and begun else None
        parts.append(tally_of(started.take(rows), settled.take(ends), dropoff_at[ends], newest=newest))
    chance.shuffle(parts)  # type: ignore[attr-defined]
    whole = tally_of(started, settled, dropoff_at)
    middle = len(parts) // 2
    assert Tally.merged(parts).as_lists() == whole.as_lists()
    assert Tally.merged([Tally.merged(parts[:middle]), Tally.merged(parts[middle:])]).as_lists() == whole.as_lists()
    assert Tally.from_lists(whole.as_lists()).as_lists() == whole.as_lists()


def _rows(first: int, until: int, count: int) -> np.ndarray:
    return np.arange(min(first, count), min(until, count))


def test_refused_events_count_where_the_stream_was() -> None:
    started, nothing = scored(5, 1), ScoredTrips.empty()
    newest = np.datetime64("2016-03-01T12:34:56", "us")
    tally = tally_of(started, nothing, nothing.pickup_at, refused=3, newest=newest)
    minute = int(newest.astype("datetime64[m]").astype(np.int64))
    assert sums_of(tally)["inputs"][(minute,)] == (0, 0, 0, 0, 3, 0)
    assert tally_of(nothing, nothing, nothing.pickup_at, refused=3).as_lists() == Tally.empty().as_lists()


def test_a_trip_is_late_when_it_lies_far_behind_the_newest_before_it_and_not_after_it() -> None:
    noon = np.datetime64("2016-03-01T12:00:00", "us")
    seconds = np.array([0, 3000, 3000 - LATE_SECONDS[0], 2999 - LATE_SECONDS[0], 9000])
    pickup_at = noon + seconds.astype("timedelta64[s]")
    assert late_of(pickup_at, None).tolist() == [0, 0, 0, 1, 0]
    assert late_of(pickup_at[:1], noon + np.timedelta64(3600, "s")).tolist() == [1]
    assert late_of(pickup_at[:0], noon).tolist() == []


def test_a_tally_of_before_there_were_places_can_be_read() -> None:
    tally = tally_of(scored(20, 1), ScoredTrips.empty(), ScoredTrips.empty().pickup_at)
    told = tally.as_lists()
    del told["places"]
    assert Tally.from_lists(told).as_lists() == replace(tally, places=Places.empty()).as_lists()


def test_nothing_makes_an_empty_tally() -> None:
    nothing = ScoredTrips.empty()
    assert tally_of(nothing, nothing, nothing.pickup_at).as_lists() == Tally.empty().as_lists() == Tally.merged([]).as_lists()


def test_one_wrong_clock_does_not_make_everybody_after_it_late() -> None:
    noon = np.datetime64("2016-03-01T12:00:00", "us")
    seconds = np.array([0, 10, 30 * 86_400, 20, 30])
    assert late_of(noon + seconds.astype("timedelta64[s]"), None).tolist() == [0, 0, 0, 0, 0]
