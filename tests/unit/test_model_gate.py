"""The model gate on a small city: an honest program passes; planted bugs fail, each at a gate that names it."""

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from adapters.files.baselines import read_baseline, write_baseline
from adapters.onnx.model import Graph
from batch import gate_bootstrap, labelled
from batch.build import BuildModel
from batch.candidate import Candidate
from batch.candidates import linear_regression, xgboost
from batch.gate import ExamineProgram, PinnedTrips, Verdict, markdown_of
from batch.labelled import LabelledTrips
from cli.main import main
from cli.sources.simulated_history import SimulatedHistory
from domain import features
from domain.city.city import City
from domain.entities.trips import Floats, TripColumns
from domain.errors import InvalidInput, ModelRefused
from domain.features import CityClock, Matrix
from domain.gates import GateLimits
from domain.model_gate import Baseline, ModelLimits, Pinned, trips_sha256
from domain.quality import ServiceArea, TripRules
from domain.split import utc64

CLOCK = CityClock()
LINE = linear_regression.CANDIDATE
TREES = replace(
    xgboost.CANDIDATE, trees=12, leaves=24, learning_rate=0.4, least_leaf_weight=400.0, rows_per_tree=1.0, inputs_per_tree=1.0
)
PINNED = Pinned(trips=8000, days=21)
LIMITS = ModelLimits(most_rmse_minutes=7.0, most_rmse_ratio=1.03, slice_least_trips=12, most_coverage=0.99)
NOW = datetime(2026, 1, 1, tzinfo=UTC)
Change = Callable[[TripColumns, Floats], Floats]


@cache
def pinned_trips() -> PinnedTrips:
    city = SimulatedHistory(City(PINNED.seed, CLOCK), TripRules(), PINNED.trips, utc64(PINNED.until), PINNED.days)
    return PinnedTrips.read(city, PINNED.until)


def examine(against: Baseline | ModelLimits, trips: PinnedTrips | None = None, candidate: Candidate = LINE) -> Verdict:
    build = BuildModel(
        [candidate], Graph.open, ServiceArea(), CLOCK, GateLimits(), 1, progress=lambda _: None, microseconds=lambda *_: 10.0
    )
    return ExamineProgram(build, lambda _: None)(trips or pinned_trips(), PINNED, against)


@cache
def baseline(candidate: Candidate = LINE) -> Baseline:
    verdict = examine(LIMITS, candidate=candidate)
    assert verdict.refusal is None
    assert verdict.measured is not None
    return Baseline(PINNED, LIMITS, NOW, "0.1.0", "a test", verdict.measured)


def failed(verdict: Verdict) -> dict[str, str]:
    return {gate.gate: gate.reason for gate in verdict.gates if not gate.passed}


def learns(monkeypatch: pytest.MonkeyPatch, change: Change) -> None:
    """Plant a bug in what trainings take the durations to be."""
    honest = LabelledTrips.of.__func__  # type: ignore[attr-defined]

    def of(cls: type[LabelledTrips], *args: object) -> LabelledTrips:
        found: LabelledTrips = honest(cls, *args)
        return replace(found, seconds=change(found.trips, found.seconds))

    monkeypatch.setattr(LabelledTrips, "of", classmethod(of))


def kilometres_in_metres(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = features._geometry

    def planted(trips: TripColumns) -> tuple[Floats, Floats, Floats]:
        distance, north, east = honest(trips)
        return distance * 1000.0, north, east

    monkeypatch.setattr(features, "_geometry", planted)


def test_the_same_program_passes_every_gate_with_the_numbers_of_the_record() -> None:
    verdict = examine(baseline(TREES), candidate=TREES)
    assert verdict.refusal is None
    assert verdict.measured == baseline(TREES).measured
    assert [gate.gate for gate in verdict.gates] == [
        "pinned trips",
        "sound",
        "finite",
        "scoring time",
        "inputs",
        "trips used",
        "threshold",
        "coverage",
        "against the record",
        "slices",
        "repeatable",
    ]


def test_kilometres_times_1000_are_named_though_trees_do_not_mind(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = baseline(TREES)
    kilometres_in_metres(monkeypatch)
    reasons = failed(examine(recorded, candidate=TREES))
    assert reasons["inputs"].startswith("distance_km: mean ")
    assert "raise REVISION" in reasons["inputs"]
    assert "against the record" not in reasons, "the error alone would have let it through"


def test_kilometres_times_1000_in_training_alone_ruin_what_is_served(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = features.features_of

    def planted(trips: TripColumns, clock: CityClock) -> Matrix:
        matrix = honest(trips, clock)
        matrix[:, features.FEATURES.index("distance_km")] *= 1000
        matrix[:, features.FEATURES.index("grid_km")] *= 1000
        return matrix

    recorded = baseline()
    monkeypatch.setattr(labelled, "features_of", planted)
    reasons = failed(examine(recorded))
    assert "inputs" not in reasons
    assert "times the recorded" in reasons["against the record"]


def test_durations_in_minutes_are_far_above_the_threshold(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = baseline()
    learns(monkeypatch, lambda _, seconds: seconds / 60)
    assert {"threshold", "against the record", "slices"} <= failed(examine(recorded)).keys()


def test_shuffled_durations_explain_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = baseline()
    learns(monkeypatch, lambda _, seconds: np.random.default_rng(1).permutation(seconds))
    assert {"sound", "threshold", "against the record"} <= failed(examine(recorded)).keys()


def test_one_hour_that_is_wrong_fails_by_its_slice_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def change(trips: TripColumns, seconds: Floats) -> Floats:
        hour = CLOCK.local(trips.pickup_at).astype("datetime64[h]").astype(np.int64) % 24
        return np.where(hour == 4, seconds * 1.8, seconds)

    recorded = baseline(TREES)
    learns(monkeypatch, change)
    reasons = failed(examine(recorded, candidate=TREES))
    assert list(reasons) == ["slices"], reasons
    assert reasons["slices"].startswith("hour 04: error ")


def test_trips_that_are_left_out_of_the_lesson_are_missed(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded = baseline()
    monkeypatch.setattr(labelled, "fit_for_training", lambda seconds: (seconds >= 90) & (seconds <= 7200))
    assert "trips used" in failed(examine(recorded))


def test_a_training_that_rolls_dice_is_not_repeatable(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded, dice = baseline(), np.random.default_rng(2)
    learns(monkeypatch, lambda _, seconds: seconds * dice.uniform(0.999, 1.001, len(seconds)))
    assert list(failed(examine(recorded))) == ["repeatable"]


def test_other_trips_are_named_before_anything_is_trained() -> None:
    trips = pinned_trips()
    later = replace(trips.completions, dropoff_at=trips.completions.dropoff_at + np.timedelta64(1, "s"))
    verdict = examine(baseline(), PinnedTrips(trips.trips, later))
    assert verdict.measured is None
    assert (verdict.refusal or "").startswith("pinned trips: the pinned data set changed")


def test_the_hash_is_of_the_rows_and_not_of_their_ids_or_of_the_last_bits() -> None:
    trips, completions = pinned_trips().trips, pinned_trips().completions
    renamed = replace(trips, trip_id=trips.trip_id[::-1], pickup_latitude=trips.pickup_latitude + 1e-12)
    assert trips_sha256(renamed, completions) == trips_sha256(trips, completions)
    assert trips_sha256(replace(trips, vendor_id=trips.vendor_id[::-1]), completions) != trips_sha256(trips, completions)


def test_a_baseline_comes_back_as_it_was_written_and_a_bad_one_is_named(tmp_path: Path) -> None:
    path = tmp_path / "model" / "baseline.json"
    write_baseline(path, baseline())
    assert read_baseline(path) == baseline()
    path.write_text('{"pinned": 1}')
    with pytest.raises(InvalidInput, match="not a baseline"):
        read_baseline(path)


def test_nothing_is_recorded_of_a_model_that_would_not_do_by_itself(tmp_path: Path) -> None:
    verdict = examine(LIMITS)
    bad = replace(verdict, gates=[replace(verdict.gates[0], passed=False, reason="too bad")])
    with pytest.raises(ModelRefused, match="too bad"):
        gate_bootstrap.record(tmp_path / "baseline.json", bad, PINNED, LIMITS, "a test")
    assert not (tmp_path / "baseline.json").exists()


def test_the_comment_holds_the_numbers_of_both_sides_and_every_gate() -> None:
    verdict = examine(baseline())
    lines = list(markdown_of(verdict, baseline()))
    assert lines[:2] == ["<!-- tripcast model gate -->", "### Model gate: passed"]
    rmse = f"{baseline().measured.rmse_minutes:.3f}"
    assert f"| rmse_minutes | {rmse} | {rmse} |" in lines
    assert sum(line.endswith("|") and "| pass |" in line for line in lines) == len(verdict.gates)


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["tripcast", "gate", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_the_command_ends_with_6_and_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)  # no .env of this machine
    path, comment = tmp_path / "baseline.json", tmp_path / "comment.md"
    small = replace(baseline().pinned, trips=3000, candidate="linear_regression")
    write_baseline(path, replace(baseline(), pinned=small, limits=replace(LIMITS, least_coverage=0.5)))
    arguments = ("--baseline", str(path), "--markdown", str(comment))
    assert run(monkeypatch, *arguments) == 6
    assert "the pinned data set changed" in " ".join(capsys.readouterr().err.split())
    assert run(monkeypatch, *arguments, "--record", "--reason", "a smaller city") == 0
    assert read_baseline(path).reason == "a smaller city"
    assert run(monkeypatch, *arguments, "--json") == 0
    capsys.readouterr()
    kilometres_in_metres(monkeypatch)
    assert run(monkeypatch, *arguments, "--json") == 6
    said = capsys.readouterr()
    assert not json.loads(said.out)["passed"]
    assert "distance_km" in said.err
    assert "### Model gate: failed" in comment.read_text()


def test_the_recorded_baseline_of_this_repository_is_about_this_feature_schema() -> None:
    recorded = read_baseline(Path(__file__).parents[2] / "deploy" / "model" / "baseline.json")
    assert recorded.measured.feature_schema == features.feature_schema(CLOCK), "run `tripcast gate --record --reason ...`"
    assert recorded.measured.inputs.keys() == set(features.FEATURES)
    assert recorded.measured.rmse_minutes <= recorded.limits.most_rmse_minutes
