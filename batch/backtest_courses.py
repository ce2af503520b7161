"""The courses that a backtest compares: leave the first model alone, train every night, or let the closed loop decide."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from batch.backtest import Backtest, Event, Version, minute_of_time
from batch.candidate import Candidate
from batch.compare import clipped
from domain.entities.trips import CompletionColumns, Floats, Times, TripColumns
from domain.evaluation import Rows
from domain.features import CityClock, Matrix, features_of
from domain.quality import fit_for_training

DAY = np.timedelta64(1, "D")
MATURITY = np.timedelta64(120, "m")  # of younger pickups only the short trips have ended
LEAST_ROWS = 500
Progress = Callable[[float], None]  # the share that is done


@dataclass(frozen=True, slots=True, eq=False)
class Stage:
    """Trips in order of pickup, row by row with their ends and inputs; models are judged by pickups in [since, until), UTC."""

    trips: TripColumns
    completions: CompletionColumns
    clock: CityClock
    since: np.datetime64
    until: np.datetime64
    features: Matrix = field(init=False)
    seconds: Floats = field(init=False)
    local: Times = field(init=False)
    judged: NDArray[np.bool_] = field(init=False)

    def __post_init__(self) -> None:
        pickup_at, seconds = self.trips.pickup_at, self.completions.duration_seconds
        inside = (pickup_at >= self.since) & (pickup_at < self.until)
        derived = {
            "features": features_of(self.trips, self.clock),
            "seconds": seconds,
            "local": self.clock.local(pickup_at),
            "judged": inside & fit_for_training(seconds),
        }
        for name, value in derived.items():
            object.__setattr__(self, name, value)


@dataclass(frozen=True, slots=True, eq=False)
class Course:
    """What a course predicted, float32 seconds of shape (n,), NaN where it did not; when it trained, in minutes since 1970.

    `events` tell what the closed loop did, and why.
    """

    name: str
    predicted: NDArray[np.float32]
    trainings: list[int]
    events: list[Event] = field(default_factory=list)


def static_course(stage: Stage, first: Version) -> Course:
    """The first model for ever."""
    predicted = np.full(len(stage.seconds), np.nan, dtype=np.float32)
    rows = np.flatnonzero(stage.judged)
    predicted[rows] = first.score(stage.features[rows])
    return Course("static", predicted, [])


def nightly_course(stage: Stage, candidate: Candidate, days: int, threads: int, progress: Progress) -> Course:
    """Trained anew each local midnight on the trips of the last `days` that had ended by then, and used at once: no gates."""
    predicted = np.full(len(stage.seconds), np.nan, dtype=np.float32)
    trainings = []
    for midnight, rows, share in _nights(stage):
        learned = _window(stage, midnight, days)
        progress(share)
        if len(learned) < LEAST_ROWS:
            continue
        fitted = candidate.fit(stage.features[learned], stage.seconds[learned], threads)
        predicted[rows] = clipped(fitted.predict(stage.features[rows]))
        trainings.append(minute_of_time(stage.trips.pickup_at[rows[0]]))
    return Course(f"nightly {days} d", predicted, trainings)


def drift_course(stage: Stage, backtest: Backtest, first: Version, progress: Progress) -> Course:
    """The closed loop."""
    span = stage.until - stage.since
    for now in backtest.run(first, stage.since, stage.until):
        progress(float((now - stage.since) / span))
    trainings = [event.minute for event in backtest.events if event.kind == "retraining.requested"]
    return Course("drift", backtest.predicted, trainings, backtest.events)


def _nights(stage: Stage) -> Iterator[tuple[np.datetime64, Rows, float]]:
    """Each local day that has trips to be judged: when it begins, local time, its rows, and the share of days done by then."""
    rows = np.flatnonzero(stage.judged)
    day = stage.local[rows].astype("datetime64[D]")
    days = np.unique(day)
    for number, date in enumerate(days):
        yield date.astype("datetime64[us]"), rows[day == date], number / len(days)


def _window(stage: Stage, midnight: np.datetime64, days: int) -> Rows:
    ended = stage.local + (stage.completions.dropoff_at - stage.trips.pickup_at)
    kept = (stage.local >= midnight - days * DAY) & (stage.local <= midnight - MATURITY) & (ended < midnight)
    return np.flatnonzero(kept & fit_for_training(stage.seconds))
