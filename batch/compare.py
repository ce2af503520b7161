"""Train every candidate on the same trips and judge all by the same held-out ones."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from batch.candidate import Candidate, Fitted
from batch.ground import HERE, Ground
from batch.labelled import LabelledTrips
from batch.recipe import Lesson, Recipe, recipe_of
from domain.evaluation import Rows, Scores, Split, hold_out, scores_of
from domain.features import Matrix
from domain.quality import TRAINING_DURATION_SECONDS

# The published result of the course whose eight inputs are our baseline: RMSE in minutes on another 10,000 of these trips.
COURSE_RMSE_MINUTES = {"linear_regression": 7.47, "random_forest": 6.62, "xgboost": 6.85}
Progress = Callable[[str], None]
Teach = Callable[[Candidate, Lesson], Fitted]


@dataclass(frozen=True, slots=True, eq=False)
class Contender:
    """A candidate trained on the older trips, and how it did on the newest, as the recipe divides them.

    `held_out` are the rows it was judged by, `predicted` its answers for them; training took `seconds`. `random` and
    `classic` are its scores on a random 20%, on our inputs and on the course's eight; None when nobody asked for them, and
    `classic` also where the course has no such candidate to compare with.
    """

    candidate: Candidate
    fitted: Fitted
    held_out: Rows
    predicted: NDArray[np.float32]
    seconds: float
    time: Scores
    random: Scores | None = None
    classic: Scores | None = None


def compare(
    candidates: Sequence[Candidate],
    labelled: LabelledTrips,
    threads: int,
    progress: Progress,
    recipe: Recipe | None = None,
    *,
    thorough: bool = True,
    ground: Ground = HERE,
) -> list[Contender]:
    """All contenders, the best first: least RMSE on the trips that started last.

    `ground`: where they are trained. `thorough` also trains each on a random 80%, with both sets of inputs: three times the
    work, for people to read.
    """
    recipe = recipe or recipe_of(labelled.trips.pickup_at, labelled.seconds)
    features = labelled.features()

    def teach(candidate: Candidate, lesson: Lesson) -> Fitted:
        return ground.teach(candidate, lesson, features, threads)

    contenders = []
    for candidate in candidates:
        progress(f"training {candidate.name}")
        contender = _contend(candidate, features, labelled, recipe, teach)
        contenders.append(_at_random(contender, features, labelled, threads) if thorough else contender)
    return sorted(contenders, key=lambda each: each.time.rmse_minutes)


def clipped(seconds: NDArray[np.float32]) -> NDArray[np.float32]:
    """As the registered graph clips."""
    return np.clip(seconds, *np.array(TRAINING_DURATION_SECONDS, dtype=np.float32))


def _contend(candidate: Candidate, features: Matrix, labelled: LabelledTrips, recipe: Recipe, teach: Teach) -> Contender:
    started = time.monotonic()
    held_out = recipe.held_out
    fitted = teach(candidate, recipe.learned)
    predicted = clipped(fitted.predict(features[held_out]))
    took = time.monotonic() - started
    return Contender(candidate, fitted, held_out, predicted, took, scores_of(predicted, labelled.seconds[held_out]))


def _at_random(contender: Contender, features: Matrix, labelled: LabelledTrips, threads: int) -> Contender:
    """The same with its scores on a random 20%."""
    learned, held_out = hold_out(Split.RANDOM, labelled.trips.pickup_at)

    def scores(inputs: Matrix) -> Scores:
        fitted = contender.candidate.fit(inputs[learned], labelled.seconds[learned], threads)
        return scores_of(clipped(fitted.predict(inputs[held_out])), labelled.seconds[held_out])

    published = contender.candidate.name in COURSE_RMSE_MINUTES
    return replace(contender, random=scores(features), classic=scores(labelled.classic_features()) if published else None)
