"""What a backtest found: errors by month of each course, what the closed loop did, as plain values for people and programs."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from batch.backtest_courses import Course, Stage

MONTH, WEEK, DAY = "datetime64[M]", "datetime64[W]", "datetime64[D]"
DIGITS = 4
QUIET = ("drift.alarm",)  # there are many, and one alone does nothing
ZERO = np.datetime64(0, "m")


@dataclass(frozen=True, slots=True)
class Errors:
    """Of `trips` trips in minutes; `bias`: above zero, predictions are too long. `trainings`: asked for within the period."""

    trips: int
    rmse: float
    mae: float
    bias: float
    trainings: int


def errors_by(stage: Stage, course: Course, period: str = MONTH) -> dict[str, Errors]:
    """By local month, week (its Thursday's date) or day, in order."""
    rows = np.flatnonzero(stage.judged & ~np.isnan(course.predicted))
    error = (course.predicted[rows].astype(np.float64) - stage.seconds[rows]) / 60
    of_row = stage.local[rows].astype(period)
    trained = stage.clock.local(times_of(course.trainings)).astype(period)
    return {str(each): _errors(error[of_row == each], int((trained == each).sum())) for each in np.unique(of_row)}


def as_dict(stage: Stage, courses: Sequence[Course]) -> dict[str, Any]:
    """For JSON; the same bytes for the same input."""
    return {
        "since": str(stage.since.astype("datetime64[s]")),
        "until": str(stage.until.astype("datetime64[s]")),
        "trips": int(stage.judged.sum()),
        "courses": {course.name: _course(stage, course) for course in courses},
        "events": [event for course in courses for event in _events(course)],
    }


def times_of(minutes: Sequence[int]) -> NDArray[np.datetime64]:
    """As UTC times of shape (n,)."""
    return np.asarray((ZERO + np.array(minutes, dtype="timedelta64[m]")).astype("datetime64[us]"))


def _course(stage: Stage, course: Course) -> dict[str, Any]:
    months = {month: asdict(errors) for month, errors in errors_by(stage, course).items()}
    return {"months": months, "trainings": [str(ZERO + minute) for minute in course.trainings]}


def _events(course: Course) -> list[dict[str, Any]]:
    told = (event for event in course.events if event.kind not in QUIET)
    return [
        {"at": str(ZERO + event.minute), "kind": event.kind, "subject": event.subject, "reason": event.reason} for event in told
    ]


def _errors(error: NDArray[np.float64], trainings: int) -> Errors:
    rmse, mae, bias = np.sqrt(np.mean(error**2)), np.mean(np.abs(error)), np.mean(error)
    return Errors(len(error), round(float(rmse), DIGITS), round(float(mae), DIGITS), round(float(bias), DIGITS), trainings)
