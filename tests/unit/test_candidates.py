"""Every candidate: learns, repeats itself, and becomes a graph that says what its library says, row by row the same bits."""

from dataclasses import replace
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from adapters.onnx.model import Graph
from batch.candidate import Candidate, Fitted
from batch.catalogue import discover
from batch.check_candidate import CheckCandidate
from batch.compare import compare
from batch.graph import finish
from batch.labelled import LabelledTrips
from batch.pack import Trained, check_batches, pack
from domain.entities.trips import CompletionColumns, Floats, TripColumns
from domain.errors import ModelRefused, NotEnoughTrips
from domain.features import FEATURES, CityClock, Matrix
from domain.gates import GateLimits
from domain.intervals import IntervalBands
from domain.quality import ServiceArea
from tests.trips import random_trips

CLOCK = CityClock()
INTERVALS = IntervalBands((), (0.5,), (1.5,))
SMALL: dict[str, dict[str, Any]] = {"xgboost": {"trees": 30}, "random_forest": {"trees": 8}, "linear_regression": {}}


def completed(trips: TripColumns, seconds: Floats) -> CompletionColumns:
    dropoff_at = trips.pickup_at + (seconds * 1e6).astype("timedelta64[us]")
    return CompletionColumns(trips.trip_id, trips.pickup_at, dropoff_at)


def labelled(count: int = 1500) -> LabelledTrips:
    """Trips at 18 km/h as the crow flies, with noise."""
    trips = random_trips(count, seed=3)
    north = (trips.dropoff_latitude - trips.pickup_latitude) * 111.2
    east = (trips.dropoff_longitude - trips.pickup_longitude) * 84.3
    noise = np.random.default_rng(4).uniform(0.8, 1.2, count)
    seconds = np.clip((120 + np.hypot(north, east) * 200) * noise, 61, 7199)
    return LabelledTrips.of(trips, completed(trips, seconds), ServiceArea(), CLOCK)


def small(candidate: Candidate) -> Candidate:
    return replace(candidate, **SMALL[candidate.name])  # type: ignore[type-var]


def test_every_file_in_the_folder_is_a_candidate() -> None:
    assert [candidate.name for candidate in discover()] == ["linear_regression", "random_forest", "xgboost"]


@pytest.mark.parametrize("candidate", discover(), ids=lambda candidate: str(candidate.name))
def test_a_candidate_of_ours_keeps_what_those_of_others_must_keep(candidate: Candidate) -> None:
    found = CheckCandidate(Graph.open, GateLimits())(small(candidate), labelled())
    assert found.scores.r2 > 0.5


@pytest.mark.parametrize("candidate", discover(), ids=lambda candidate: candidate.name)
def test_every_graph_names_its_input_and_output_as_the_registered_signature_does(candidate: Candidate) -> None:
    trips = labelled(600)
    graph = onnx.load_from_string(
        finish(small(candidate).fit(trips.features(), trips.seconds, 1).to_onnx(), len(FEATURES))
    ).graph
    assert ([each.name for each in graph.input], [each.name for each in graph.output]) == (["features"], ["seconds"])


def test_the_best_on_the_latest_trips_comes_first() -> None:
    contenders = compare([small(each) for each in discover()], labelled(), 1, lambda _: None)
    errors = [each.time.rmse_minutes for each in contenders]
    assert errors == sorted(errors)
    assert all(len(each.held_out) == 300 for each in contenders)


class Fixed:
    """A fitted model whose graph and library may disagree."""

    def __init__(self, inner: Fitted, factor: float) -> None:
        self._inner, self._factor = inner, np.float32(factor)

    def predict(self, features: Matrix) -> NDArray[np.float32]:
        return self._inner.predict(features) * self._factor

    def importances(self) -> NDArray[np.float64]:
        return self._inner.importances()

    def to_onnx(self) -> bytes:
        return self._inner.to_onnx()


def test_a_graph_that_disagrees_with_its_library_is_not_packed() -> None:
    trips = labelled()
    line = discover()[0].fit(trips.features(), trips.seconds, threads=1)
    package = pack(Trained("line", Fixed(line, 1.0), INTERVALS), trips.features(), CLOCK, Graph.open)
    assert len(package.warm_up_inputs) == 64
    with pytest.raises(ModelRefused, match="parity"):
        pack(Trained("line", Fixed(line, 1.001), INTERVALS), trips.features(), CLOCK, Graph.open)


def test_a_graph_whose_rows_influence_each_other_is_not_packed() -> None:
    def sensitive(features: Matrix) -> NDArray[np.float32]:
        return np.full(len(features), 60 + len(features), dtype=np.float32)

    with pytest.raises(ModelRefused, match="batches"):
        check_batches(sensitive, labelled().features()[:10])


def test_trips_that_the_meter_made_are_not_learned_from() -> None:
    trips = random_trips(1000, seed=5)
    seconds = np.full(1000, 600.0)
    seconds[:100] = 30.0
    seconds[100:200] = 80_000.0
    trips.pickup_latitude[200:250] = 36.1  # Las Vegas
    kept = LabelledTrips.of(trips, completed(trips, seconds), ServiceArea(), CLOCK)
    assert len(kept.seconds) == 750
    with pytest.raises(NotEnoughTrips, match="load more history"):
        LabelledTrips.of(trips.take(np.arange(400)), completed(trips, seconds).take(np.arange(400)), ServiceArea(), CLOCK)


def test_the_identity_of_the_trips_changes_with_any_of_them() -> None:
    trips = labelled()
    changed = LabelledTrips(trips.trips, trips.seconds + 0.5, CLOCK)
    assert trips.identity() == labelled().identity()
    assert trips.identity().data_sha256 != changed.identity().data_sha256
