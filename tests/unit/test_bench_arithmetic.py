"""What benchmarks make of what they measured: ratios of training, the arithmetic of scaling, answers of other servers."""

import json

import numpy as np
import pytest

from benchmarks.api import checked
from benchmarks.api.load import Answers
from benchmarks.figures import Results
from benchmarks.storage.scaling import amount, rates
from benchmarks.training.measure import Fit
from benchmarks.training.suite import results_of
from schemas.http.predictions import Interval, PredictedTrip


def test_ratios_of_training_are_of_medians_and_of_the_largest_peak() -> None:
    plain, ours = [Fit(2.0, 100, 5), Fit(4.0, 300, 5)], [Fit(3.0, 200, 5), Fit(9.0, 150, 5)]
    found = results_of({"xgboost_50000": {"plain": plain, "ours": ours}}, {50_000: Fit(30.0, 900, 5)})
    assert found["xgboost_50000_seconds"] == 6.0
    assert found["xgboost_50000_vs_plain"] == 2.0
    assert found["xgboost_50000_peak_vs_plain"] == pytest.approx(2 / 3)
    assert (found["whole_50000_seconds"], found["whole_50000_peak_mb"]) == (30.0, 900)


def test_a_rate_comes_to_shares_at_half_of_what_was_measured() -> None:
    measured = {
        "stream.events_per_second": 60_000.0,
        "storage.bytes_per_trip": 1_000.0,
        "storage.journal_bytes_per_event": 500.0,
        "storage.trip_events_kafka_bytes": 100.0,
        "storage.trip_predictions_kafka_bytes": 200.0,
    }
    row = rates(Results(measured)).splitlines()[-1]
    assert row == "| 1,000,000 | 34 | 68 | 43.2 TB | 43.2 TB | 51.8 TB |"


@pytest.mark.parametrize(("count", "words"), [(5.0, "5 B"), (1_500.0, "2 kB"), (86.4e9, "86 GB"), (4.32e13, "43.2 TB")])
def test_amounts_in_words(count: float, words: str) -> None:
    assert amount(count) == words


@pytest.mark.parametrize(
    "body",
    [
        [60.5],
        {"predictions": [60.5]},
        {"predictions": {"seconds": [60.5]}},
        {"model_name": "trip", "outputs": [{"name": "output-1", "data": [60.5]}]},
    ],
)
def test_the_answer_of_every_server_is_read_and_another_one_ends_the_benchmark(body: object) -> None:
    ours = {0: [PredictedTrip("id", 60.5, 1.0, Interval(50.0, 70.0, 0.9))]}
    theirs = Answers(asked=[0], bodies=[json.dumps(body).encode()])
    assert checked.same_bits(ours, [theirs]) == 1
    other = json.dumps(body).replace("60.5", str(float(np.nextafter(np.float32(60.5), np.float32(61))))).encode()
    with pytest.raises(RuntimeError, match="trip 0: another server answers"):
        checked.same_bits(ours, [Answers(asked=[0], bodies=[other])])
