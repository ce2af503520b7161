"""From trips to a judged model, gates and all: honest challengers of a changed city pass, poisoned ones do not."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pytest

from adapters.onnx.model import Graph
from batch.build import BuildModel, Judged, Rival, Trusted, set_aside, time_of
from batch.candidates.xgboost import CANDIDATE
from batch.evidence import evidence_of
from domain.city.city import City
from domain.entities.trips import SECOND, TIME, CompletionColumns, Floats, TripColumns
from domain.features import FEATURES, CityClock, Matrix
from domain.gates import GateLimits
from domain.quality import ServiceArea

CLOCK = CityClock()
UNTIL = np.datetime64("2026-03-01T05:00:00", "us")
DAY = np.timedelta64(86_400_000_000, "us")
BREAK = UNTIL - 8 * DAY
QUICK = replace(CANDIDATE, trees=40, learning_rate=0.2, least_leaf_weight=500.0)
BUILD = BuildModel(
    [QUICK], Graph.open, ServiceArea(), CLOCK, GateLimits(), 1, progress=lambda _: None, microseconds=lambda *_: 10.0
)
Change = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Past:
    """What the champion learnt from, up to the break."""

    rival: Rival
    trusted: Trusted


@cache
def history() -> tuple[TripColumns, CompletionColumns]:
    days = list(City(5, CLOCK).history(10_000, UNTIL, 40))
    trips = TripColumns.concatenate([day.trips for day in days])
    completions = CompletionColumns.concatenate([day.completions for day in days])
    area = ServiceArea()
    kept = area.contains(trips.pickup_latitude, trips.pickup_longitude)
    kept &= area.contains(trips.dropoff_latitude, trips.dropoff_longitude)
    return trips.take(kept), completions.take(kept)


@cache
def past() -> Past:
    trips, completions = history()
    before = (trips.pickup_at < BREAK) & (completions.dropoff_at < BREAK)
    first = BUILD(evidence_of(trips.take(before), completions.take(before)))
    assert first.built is not None
    assert first.labelled is not None
    score = Graph.open(first.built.package.graph, len(FEATURES))
    return Past(Rival(score, first.labelled.trips.pickup_at.max()), set_aside(first.labelled))


def judged(change: Change, *, known: bool = True) -> Judged:
    """Train after the labels since the break have changed; `known`: the loop says when it was."""
    trips, completions = history()
    seconds, since = completions.duration_seconds, trips.pickup_at >= BREAK
    seconds[since] = change(seconds[since])
    dropoff_at = (trips.pickup_at + np.rint(seconds) * SECOND).astype(TIME)
    completions = CompletionColumns(trips.trip_id, trips.pickup_at, dropoff_at)
    rival, trusted = past().rival, past().trusted
    evidence = evidence_of(trips, completions, as_of=UNTIL, since_break=BREAK if known else None, known_until=rival.known_until)
    return BUILD(evidence, rival, trusted)


def bias(found: Judged, true: Change) -> float:
    """Mean ln(said / true) of the trips since the break."""
    assert found.built is not None
    trips, completions = history()
    since = trips.pickup_at >= BREAK
    since &= (completions.duration_seconds > 120) & (completions.duration_seconds < 3600)
    from domain.features import features_of

    said = Graph.open(found.built.package.graph, len(FEATURES))(features_of(trips.take(since), CLOCK))
    return float(np.log(said / true(completions.duration_seconds[since])).mean())


def test_the_first_model_is_judged_by_itself_alone() -> None:
    trips, completions = history()
    first = BUILD(evidence_of(trips, completions))
    assert first.refusal is None
    assert [gate.gate for gate in first.gates] == ["sound", "finite", "scoring time"]


@pytest.mark.parametrize("factor", [0.6, 1.25, 1.5], ids=["spring 2020", "slower", "much slower"])
def test_an_honest_challenger_of_a_changed_city_passes_every_gate_and_has_learnt_the_change(factor: float) -> None:
    found = judged(lambda seconds: seconds * factor)
    assert found.refusal is None, found.refusal
    assert len(found.gates) == 17
    assert all(gate.passed for gate in found.gates)
    assert bias(found, lambda seconds: seconds * factor) == pytest.approx(0, abs=0.08)


def test_a_training_without_any_change_passes_too() -> None:
    assert judged(lambda seconds: seconds, known=False).refusal is None


@pytest.mark.parametrize(
    ("poison", "gate"),
    [
        (lambda seconds: np.sort(seconds)[::-1][np.argsort(np.argsort(seconds))], "order of labels"),
        (lambda seconds: seconds * 2, "speed of labels"),
        (lambda seconds: seconds / 2, "speed of labels"),
        (lambda seconds: seconds * 60, "durations"),
    ],
    ids=["flipped", "doubled", "halved", "x60"],
)
@pytest.mark.parametrize("known", [True, False], ids=["of a known break", "unnoticed"])
def test_poisoned_trips_are_refused_before_anything_is_trained(poison: Change, gate: str, known: bool) -> None:
    found = judged(poison, known=known)
    assert found.built is None
    assert found.refusal is not None
    assert found.refusal.startswith(gate), found.refusal


def test_a_model_that_is_too_slow_for_the_stream_is_refused() -> None:
    trips, completions = history()
    slow = replace(BUILD, microseconds=lambda *_: 5000.0)(evidence_of(trips, completions))
    assert slow.refusal == "scoring time: scoring takes 5000.0 us a trip; 200 us are allowed"
    assert slow.built is not None, "it is kept, to be looked at"


def test_time_is_measured_for_one_trip() -> None:
    asked: list[int] = []

    def score(features: Matrix) -> np.ndarray:
        asked.append(len(features))
        return np.ones(len(features), dtype=np.float32)

    assert 0 < time_of(score, np.zeros((10_000, 3), dtype=np.float32)) < 1000
    assert asked == [4096] * 3


def test_nothing_is_learnt_that_was_not_known_or_not_ripe_or_of_a_faulty_feed() -> None:
    trips, completions = history()
    as_of, fault = UNTIL - 2 * DAY, (UNTIL - 6 * DAY, UNTIL - 5 * DAY)
    evidence = evidence_of(trips, completions, as_of=as_of, exclude=[fault], maturity_minutes=120)
    assert evidence.completions.dropoff_at.max() < as_of
    assert evidence.trips.pickup_at.max() <= as_of - np.timedelta64(120, "m")
    assert not ((evidence.trips.pickup_at >= fault[0]) & (evidence.trips.pickup_at < fault[1])).any()
    assert evidence.asked_at == as_of
    ripe = (completions.dropoff_at < as_of) & (trips.pickup_at <= as_of - np.timedelta64(120, "m"))
    assert len(evidence.trips) == int((ripe & ~((trips.pickup_at >= fault[0]) & (trips.pickup_at < fault[1]))).sum())


def test_without_a_moment_of_asking_the_newest_end_stands_for_it() -> None:
    trips, completions = history()
    evidence = evidence_of(trips, completions)
    assert completions.dropoff_at.max() - evidence.trips.pickup_at.max() >= np.timedelta64(120, "m")
    nothing = evidence_of(trips.take(np.arange(0)), completions.take(np.arange(0)))
    assert len(nothing.trips) == 0
