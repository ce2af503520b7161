"""Try a candidate in seconds, without a server: what every candidate must keep, ours as well as other people's."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from batch.build import time_of
from batch.candidate import Candidate, Fitted
from batch.compare import clipped
from batch.graph import finish
from batch.labelled import LabelledTrips
from batch.pack import OpenGraph, Score, check_batches, check_parity
from domain.entities.trips import Floats
from domain.errors import ModelRefused
from domain.evaluation import Scores, Split, hold_out, scores_of
from domain.features import FEATURES, Matrix
from domain.gates import GateLimits, speed_gate

BATCHED_ROWS = 300
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CandidateCheck:
    """What was found of a candidate that passed. `microseconds`: to score one trip; `kilobytes`: of its graph."""

    name: str
    parameters: dict[str, float | str]
    passed: tuple[str, ...]
    trips: int
    scores: Scores
    fit_seconds: float
    microseconds: float
    kilobytes: float


@dataclass(frozen=True, slots=True)
class CheckCandidate:
    """See the module. `told` hears of each check that was passed."""

    open_graph: OpenGraph
    limits: GateLimits
    threads: int = 1
    told: Callable[[str], None] = field(default=lambda _: None)

    def __call__(self, candidate: Candidate, labelled: LabelledTrips) -> CandidateCheck:
        """Fit on the older 80% of the trips, judge on the rest. Raises ModelRefused, naming the first check that failed."""
        passed: list[str] = []

        def done(check: str) -> None:
            passed.append(check)
            self.told(check)

        exam = _Exam(candidate, labelled, self.threads)
        fitted, took = exam.fitted()
        done("fits, and leaves the trips as they were")
        predicted = exam.predicted(fitted)
        done("predicts one finite number of seconds for each trip")
        exam.weighs(predicted)
        done("a trip counts as much as its weight")
        fitted.importances()
        done("says how much each input matters")
        content = finish(fitted.to_onnx(), len(FEATURES))
        score = self.open_graph(content, len(FEATURES))
        done("becomes an ONNX graph that ONNX Runtime opens")
        check_parity(score(exam.unseen), clipped(predicted))
        check_batches(score, exam.unseen[:BATCHED_ROWS])
        done("the graph says what the library says, and a trip's bits do not depend on its neighbours")
        exam.repeats(score, self.open_graph)
        done("the same trips make the same model")
        microseconds = self._in_time(score, exam.features)
        done("scores in time")
        scores = exam.judged(predicted)
        done("explains later trips")
        kilobytes = len(content) / 1000
        parameters = dict(candidate.parameters)
        return CandidateCheck(
            candidate.name, parameters, tuple(passed), len(labelled.seconds), scores, took, microseconds, kilobytes
        )

    def _in_time(self, score: Score, features: Matrix) -> float:
        microseconds = time_of(score, features)
        gate = speed_gate(microseconds, self.limits)
        if not gate.passed:
            raise ModelRefused(f"{gate.gate}: {gate.reason}")
        return microseconds


class _Exam:
    """The trips, divided: `learned` teaches, `unseen` examines."""

    def __init__(self, candidate: Candidate, labelled: LabelledTrips, threads: int) -> None:
        self._candidate, self._threads = candidate, threads
        self.features = labelled.features()
        rows, held_out = hold_out(Split.TIME, labelled.trips.pickup_at)
        self.learned, self.unseen = self.features[rows], self.features[held_out]
        self._seconds, self._actual = labelled.seconds[rows], labelled.seconds[held_out]

    def fitted(self) -> tuple[Fitted, float]:
        """The model, and how many seconds its training took."""
        started = time.monotonic()
        fitted = _untouched("fit()", (self.learned, self._seconds), self._fit)
        return fitted, time.monotonic() - started

    def predicted(self, fitted: Fitted) -> NDArray[np.float32]:
        """Of the unseen trips, in seconds."""
        return _untouched("predict()", (self.unseen,), lambda: fitted.predict(self.unseen))

    def weighs(self, predicted: NDArray[np.float32]) -> None:
        """Long trips that count more must make longer answers."""
        weighted = self._fit(self._seconds / self._seconds.mean()).predict(self.unseen)
        if not weighted.mean() > predicted.mean():
            raise ModelRefused("weights: fit() ignores them: trips counted by their durations make no longer answers")

    def repeats(self, score: Score, open_graph: OpenGraph) -> None:
        """A second training must answer with the same bits."""
        again = open_graph(finish(self._fit().to_onnx(), len(FEATURES)), len(FEATURES))
        differ = int((again(self.unseen) != score(self.unseen)).sum())
        if differ:
            raise ModelRefused(f"repeats: a second training answers {differ} of {len(self.unseen)} trips otherwise; set a seed")

    def judged(self, predicted: NDArray[np.float32]) -> Scores:
        """How well it does."""
        scores = scores_of(clipped(predicted), self._actual)
        if not scores.r2 > 0:
            raise ModelRefused(f"sound: R2 is {scores.r2:.2f} on later trips: the mean of all trips would be a better answer")
        return scores

    def _fit(self, weights: Floats | None = None) -> Fitted:
        return self._candidate.fit(self.learned, self._seconds, self._threads, weights)


def _untouched(method: str, given: tuple[Matrix | Floats, ...], call: Callable[[], T]) -> T:
    before = [each.copy() for each in given]
    found = call()
    if not all(np.array_equal(each, copy) for each, copy in zip(given, before, strict=True)):
        raise ModelRefused(f"{method} changes the trips that it is given; work on a copy")
    return found
