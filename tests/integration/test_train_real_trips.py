"""What the candidates reach on real trips: the limits that a change of inputs or candidates must keep."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.files.trip_files import open_trip_file
from batch.build import coverage_of
from batch.catalogue import discover
from batch.compare import COURSE_RMSE_MINUTES, Contender, compare
from batch.labelled import LabelledTrips
from domain.entities.trips import CompletionColumns, TripColumns
from domain.features import CityClock
from domain.intervals import calibrate
from domain.quality import ServiceArea, TripRules

TRIPS = Path(__file__).parents[3] / "shared" / "data" / "nyc_trips_2016.csv"
pytestmark = [
    pytest.mark.data,
    pytest.mark.skipif(not TRIPS.is_file(), reason=f"the real trips are not at {TRIPS}"),
]


@pytest.fixture(scope="module")
def labelled() -> LabelledTrips:
    clock = CityClock()
    batches = list(open_trip_file(TRIPS, clock, TripRules()).batches(datetime.now(UTC)))
    trips = TripColumns.concatenate([batch.trips for batch in batches])
    completions = CompletionColumns.concatenate([batch.completions for batch in batches])
    return LabelledTrips.of(trips, completions, ServiceArea(), clock)


@pytest.fixture(scope="module")
def contenders(labelled: LabelledTrips) -> list[Contender]:
    return compare(discover(), labelled, threads=2, progress=lambda _: None)


def test_the_best_keeps_the_promised_errors(contenders: list[Contender]) -> None:
    best = contenders[0]
    assert best.time.rmse_minutes <= 5.35
    assert best.random is not None
    assert best.random.rmse_minutes <= 4.95


def test_every_candidate_beats_the_course_with_its_own_inputs_and_more_with_ours(contenders: list[Contender]) -> None:
    for contender in contenders:
        assert contender.classic is not None
        assert contender.random is not None
        assert contender.classic.rmse_minutes < COURSE_RMSE_MINUTES[contender.candidate.name]
        assert contender.random.rmse_minutes < contender.classic.rmse_minutes


def test_intervals_calibrated_on_earlier_trips_hold_later_ones(labelled: LabelledTrips, contenders: list[Contender]) -> None:
    best = contenders[0]
    half = len(best.held_out) // 2
    intervals = calibrate(best.predicted[:half], labelled.seconds[best.held_out][:half])
    assert 0.87 <= coverage_of(intervals, best, labelled, first=half) <= 0.93
