"""Train every candidate on the same trips and judge all by the same held-out ones."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from batch.candidate import Candidate, Fitted
from batch.labelled import LabelledTrips
from domain.evaluation import Rows, Scores, Split, hold_out, scores_of
from domain.features import Matrix
from domain.quality import TRAINING_DURATION_SECONDS

# The published result of the course whose eight inputs are our baseline: RMSE in minutes on another 10,000 of these trips.
COURSE_RMSE_MINUTES = {"linear_regression": 7.47, "random_forest": 6.62, "xgboost": 6.85}
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """A candidate trained on the first 80% of the trips, and how it did on the last 20%.

    `held_out` are the rows it was judged by, `predicted` its answers for them; training took `seconds`. `random` and
    `classic` are its scores on a random 20%, on our inputs and on the course's eight.
    """

    candidate: Candidate
    fitted: Fitted
    held_out: Rows
    predicted: NDArray[np.float32]
    seconds: float
    time: Scores
    random: Scores
    classic: Scores


def compare(candidates: Sequence[Candidate], labelled: LabelledTrips, threads: int, progress: Progress) -> list[Contender]:
    """All contenders, the best first: least RMSE on the trips that started last."""
    features, classic = labelled.features(), labelled.classic_features()
    contenders = []
    for candidate in candidates:
        progress(f"training {candidate.name}")
        contenders.append(_contend(candidate, features, classic, labelled, threads))
    return sorted(contenders, key=lambda each: each.time.rmse_minutes)


def clipped(seconds: NDArray[np.float32]) -> NDArray[np.float32]:
    """As the registered graph clips."""
    return np.clip(seconds, *np.array(TRAINING_DURATION_SECONDS, dtype=np.float32))


def _contend(candidate: Candidate, features: Matrix, classic: Matrix, labelled: LabelledTrips, threads: int) -> Contender:
    started = time.monotonic()
    fitted, held_out, predicted = _judge(candidate, features, labelled, Split.TIME, threads)
    took = time.monotonic() - started
    scores = {"time": scores_of(predicted, labelled.seconds[held_out])}
    for name, inputs in (("random", features), ("classic", classic)):
        _, rows, answer = _judge(candidate, inputs, labelled, Split.RANDOM, threads)
        scores[name] = scores_of(answer, labelled.seconds[rows])
    return Contender(candidate, fitted, held_out, predicted, took, **scores)


def _judge(
    candidate: Candidate, features: Matrix, labelled: LabelledTrips, split: Split, threads: int
) -> tuple[Fitted, Rows, NDArray[np.float32]]:
    learned, held_out = hold_out(split, labelled.trips.pickup_at)
    fitted = candidate.fit(features[learned], labelled.seconds[learned], threads)
    return fitted, held_out, clipped(fitted.predict(features[held_out]))
