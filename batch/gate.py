"""Train on the pinned trips, examine the model as a worker would serve it, and compare with the recorded baseline.

Everything is the service's own way: quality rules, training, conversion, interval, features. Only the truth is not: durations
of the examination are taken from the rows here, so that a mistake in how trainings read them cannot examine itself.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from batch.build import BuildModel, Built
from batch.load import TripSource
from domain.areas import AreaGrid
from domain.data_gates import Evidence
from domain.entities.trips import SECOND, CompletionColumns, Floats, TripColumns
from domain.errors import InvalidInput, ModelRefused, NotEnoughTrips
from domain.evaluation import scores_of
from domain.features import FEATURES, feature_schema, features_of
from domain.gates import GateResult, refusal
from domain.intervals import IntervalBands
from domain.model_gate import (
    Baseline,
    Measured,
    ModelLimits,
    Pinned,
    absolute_gates,
    inputs_of,
    pinned_gate,
    program_gates,
    repeated_gate,
    slices_of,
    trips_sha256,
)
from domain.quality import fit_for_training
from domain.split import start_of_rest, utc64


@dataclass(frozen=True, slots=True, eq=False)
class PinnedTrips:
    """The trips that can be true, in order of pickup, row by row with their ends."""

    trips: TripColumns
    completions: CompletionColumns

    @classmethod
    def read(cls, source: TripSource, now: datetime) -> "PinnedTrips":
        """All of a source; `now` is a fixed moment, or the same trips would be refused before it. Raises InvalidInput."""
        batches = list(source.batches(now))
        if not batches:
            raise InvalidInput("the pinned data set is empty")
        trips = TripColumns.concatenate([batch.trips for batch in batches])
        completions = CompletionColumns.concatenate([batch.completions for batch in batches])
        rows = np.argsort(trips.pickup_at, kind="stable")
        return cls(trips.take(rows), completions.take(rows))

    def divided(self, exam_share: float) -> "tuple[PinnedTrips, PinnedTrips]":
        """What teaches, and what examines: the trips that began last."""
        since = start_of_rest(self.trips.pickup_at, 1 - exam_share)
        if since is None:
            raise InvalidInput(f"an examination by {exam_share:.0%} of the trips is none")
        later = self.trips.pickup_at >= utc64(since)
        return self._take(~later), self._take(later)

    def _take(self, rows: NDArray[np.bool_]) -> "PinnedTrips":
        return PinnedTrips(self.trips.take(rows), self.completions.take(rows))


@dataclass(frozen=True, slots=True, eq=False)
class Verdict:
    """What the gates found; `measured` is None when it did not come to a model."""

    gates: list[GateResult]
    measured: Measured | None = None

    @property
    def refusal(self) -> str | None:
        """Every gate that did not pass, in words; None when all did."""
        failed = [f"{gate.gate}: {gate.reason}" for gate in self.gates if not gate.passed]
        return "; ".join(failed) or None


@dataclass(frozen=True, slots=True)
class ExamineProgram:
    """See the module."""

    build: BuildModel
    progress: Callable[[str], None]

    def __call__(self, trips: PinnedTrips, pinned: Pinned, against: Baseline | ModelLimits) -> Verdict:
        """Against limits alone, only what holds without a baseline is judged: that is how one is recorded."""
        baseline = against if isinstance(against, Baseline) else None
        sha256 = trips_sha256(trips.trips, trips.completions)
        gates = [] if baseline is None else [pinned_gate(sha256, baseline.measured.trips_sha256)]
        if refusal(gates) is not None:
            return Verdict(gates)
        lesson, exam = trips.divided(pinned.exam_share)
        try:
            judged = self.build(Evidence(lesson.trips, lesson.completions))
            if judged.built is None or judged.labelled is None:
                return Verdict([*gates, *judged.gates])
            measured = self._examine(judged.built, trips, exam, sha256, len(judged.labelled.seconds))
            self.progress("training a second time, to compare the answers")
            again = self.build(Evidence(lesson.trips, lesson.completions))
        except (ModelRefused, NotEnoughTrips) as error:
            return Verdict([*gates, GateResult("training", passed=False, reason=str(error))])
        compared = program_gates(measured, against) if isinstance(against, Baseline) else absolute_gates(measured, against)
        same = again.built is not None and self._answers(again.built, exam) == self._answers(judged.built, exam)
        return Verdict([*gates, *judged.gates, *compared, repeated_gate(same=same)], measured)

    def _answers(self, built: Built, exam: PinnedTrips) -> tuple[bytes, IntervalBands]:
        """To the bit. The graphs themselves differ: the converter gives each a random name."""
        score = self.build.open_graph(built.package.graph, len(FEATURES))
        return score(features_of(exam.trips, self.build.clock)).tobytes(), built.package.intervals

    def _examine(self, built: Built, everything: PinnedTrips, exam: PinnedTrips, sha256: str, learned: int) -> Measured:
        self.progress("examining it on the trips that began last")
        actual = np.asarray((exam.completions.dropoff_at - exam.trips.pickup_at) / SECOND, dtype=np.float64)
        fit = fit_for_training(actual)
        trips, actual = exam.trips.take(fit), actual[fit]
        score = self.build.open_graph(built.package.graph, len(FEATURES))
        predicted = score(features_of(trips, self.build.clock))
        scores = scores_of(predicted, actual)
        return Measured(
            trips_sha256=sha256,
            feature_schema=feature_schema(self.build.clock),
            learned=learned,
            examined=len(actual),
            rmse_minutes=scores.rmse_minutes,
            mae_minutes=scores.mae_minutes,
            coverage=_coverage(built.package.intervals, predicted, actual),
            inputs=inputs_of(features_of(everything.trips, self.build.clock)),
            slices=slices_of(trips, predicted - actual, self.build.clock, AreaGrid(self.build.area)),
        )


def _coverage(intervals: IntervalBands, predicted: NDArray[np.float32], actual: Floats) -> float:
    lower, upper = intervals.of(predicted)
    return float(np.mean((actual >= lower) & (actual <= upper)))


def markdown_of(verdict: Verdict, baseline: Baseline | None) -> Iterator[str]:
    """Lines of a comment on a change: the verdict, the numbers beside the recorded ones, and every gate."""
    yield "<!-- tripcast model gate -->"
    yield f"### Model gate: {'failed' if verdict.refusal else 'passed'}"
    yield ""
    if (found := verdict.measured) is not None:
        yield "| on the pinned trips | recorded | this change |"
        yield "|---|---|---|"
        old = baseline.measured if baseline else None
        for name, digits in (("rmse_minutes", 3), ("mae_minutes", 3), ("coverage", 4)):
            recorded = f"{getattr(old, name):.{digits}f}" if old else ""
            yield f"| {name} | {recorded} | {getattr(found, name):.{digits}f} |"
        yield ""
    yield "| gate | | |"
    yield "|---|---|---|"
    for gate in verdict.gates:
        yield f"| {gate.gate} | {'pass' if gate.passed else '**fail**'} | {gate.reason.replace('|', '/')} |"
