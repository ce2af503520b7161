"""Live through a stretch of history with the closed loop: the same tallies, steps, detectors, policy and gates, without Kafka.

Event time passes in turns of `turnaround_minutes`. Within a turn trips are scored as they start and settled as they end; at its
end the loop's requests are answered, and the answers hold from the next turn on. A replay in lockstep does the same live.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from domain.areas import AreaGrid
from domain.baselines import Baseline
from domain.entities.predictions import PredictionColumns
from domain.entities.trips import CompletionColumns, TripColumns
from domain.features import CityClock, Matrix, features_of
from domain.intervals import IntervalBands
from domain.loop.decisions import Answered, ChampionChanged, Decision, Fact, Outcome, Request, RequestKind, ShadowChanged
from domain.loop.loop import Loop
from domain.loop.tracker import ReportedSpan, Tracker, newest_of
from domain.loop.watcher import MakeDetector
from domain.policy import Policy
from domain.tallies import NO_VERSION, ScoredTrips, scored_trips, tally_of
from domain.timeline import turn_end

Seconds = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Version:
    """A trained version: how it scores features of shape (n, f), and what is normal for it."""

    number: int
    kind: str
    score: Callable[[Matrix], Seconds]
    intervals: IntervalBands
    baseline: Baseline


@dataclass(frozen=True, slots=True, eq=False)
class Training:
    """What came of a training: a version, or why there is none."""

    version: Version | None
    reason: str


class Train(Protocol):
    """Trains as the trainer does. `request.body` says as of when, since which change and without which stretches."""

    def __call__(self, number: int, request: Request, champion: Version) -> Training:
        """The version, numbered so, or a refusal."""
        ...


@dataclass(frozen=True, slots=True)
class Event:
    """A decision or an answer, at a minute of event time, in words."""

    minute: int
    kind: str
    subject: str
    reason: str
    details: dict[str, object] = field(default_factory=dict)


class Answers:
    """What one version answers for all trips, computed a stretch at a time as it is needed."""

    STRETCH = 20_000

    def __init__(self, version: Version, features: Matrix) -> None:
        self.version, self._features = version, features
        self._done = 0
        self._seconds = np.full(len(features), np.nan, dtype=np.float32)
        self._first: int | None = None

    def of(self, first: int, until: int) -> Seconds:
        """For the trips in [first, until); the ranges that are asked for never go back."""
        if self._first is None:
            self._first = self._done = first
        while self._done < until:
            upto = min(self._done + self.STRETCH, len(self._features))
            self._seconds[self._done : upto] = self.version.score(self._features[self._done : upto])
            self._done = upto
        return self._seconds[first:until]


class Backtest:
    """One run over trips in order of pickup, row by row with their completions. `events` and `predicted` are its result.

    `predicted`: the champion's answers in float32 seconds, NaN for trips before the first model; `versions` who gave them.
    """

    def __init__(
        self,
        policy: Policy,
        make_detector: MakeDetector,
        train: Train,
        grid: AreaGrid,
        clock: CityClock,
        *,
        trips: TripColumns,
        completions: CompletionColumns,
    ) -> None:
        self._policy, self._train, self._grid = policy, train, grid
        self._trips, self._dropoff_at = trips, completions.dropoff_at
        self._by_dropoff = np.argsort(completions.dropoff_at, kind="stable")
        self._features = features_of(trips, clock)
        self._tracker = Tracker(policy.time)
        self.loop = Loop(policy, make_detector, grid, clock)
        self._champion: Answers | None = None
        self._shadow: Answers | None = None
        self._made: dict[int, Answers] = {}
        self._previous: Answers | None = None
        self._scored = _unscored(trips, grid)
        self.events: list[Event] = []
        self.predicted = self._scored.duration_seconds
        self.versions = self._scored.version

    def run(self, first: Version, since: np.datetime64, until: np.datetime64) -> Iterator[np.datetime64]:
        """Live from `since` to `until` with `first` as champion; gives the time it is after each turn."""
        self._make_champion(Answers(first, self._features), minute_of_time(since))
        now = since
        while now < until:
            turn_ends = min(turn_end(now, self._policy.time.turnaround_minutes), until)
            requests = self._turn(now, turn_ends)
            self._answer(requests, minute_of_time(turn_ends))
            now = turn_ends
            yield now

    # --- within a turn ------------------------------------------------------------------------------------------------

    def _turn(self, begins: np.datetime64, ends: np.datetime64) -> list[Request]:
        started, settled = self._start(begins, ends), self._settle(begins, ends)
        dropoffs = self._dropoff_at[settled]
        known = self._scored.version[settled] != NO_VERSION
        tally = tally_of(self._scored.take(started), self._scored.take(settled[known]), dropoffs[known])
        newest = newest_of(np.concatenate([self._trips.pickup_at[started], dropoffs]))
        self._tracker.add([ReportedSpan(0, 0, 0, newest, caught_up=True)], tally)
        decisions: list[Decision] = []
        for step in self._tracker.closable():
            decisions += self.loop.step(step)
        return self._noted(decisions)

    def _start(self, begins: np.datetime64, ends: np.datetime64) -> NDArray[np.intp]:
        first, until = np.searchsorted(self._trips.pickup_at, np.array([begins, ends]), side="left")
        rows = np.arange(first, until)
        if self._champion is not None and len(rows):
            _write(self._scored, rows, self._champion, shadow=False)
            if self._shadow is not None:
                _write(self._scored, rows, self._shadow, shadow=True)
        return rows

    def _settle(self, begins: np.datetime64, ends: np.datetime64) -> NDArray[np.intp]:
        ordered = self._dropoff_at[self._by_dropoff]
        first, until = np.searchsorted(ordered, np.array([begins, ends]), side="left")
        return self._by_dropoff[first:until]

    def _noted(self, decisions: list[Decision]) -> list[Request]:
        for each in decisions:
            kind = f"{each.kind}.requested" if isinstance(each, Request) else each.kind
            details = each.body if isinstance(each, Request) else each.details
            self.events.append(Event(each.minute, kind, each.subject, each.reason, details))
        return [each for each in decisions if isinstance(each, Request)]

    # --- between turns ------------------------------------------------------------------------------------------------

    def _answer(self, requests: list[Request], minute: int) -> None:
        while requests:
            request = requests.pop(0)
            requests += self._noted(self._carry_out(request, minute))

    def _carry_out(self, request: Request, minute: int) -> list[Decision]:
        match request.kind:
            case RequestKind.RETRAINING:
                return self._retrain(request, minute)
            case RequestKind.PROMOTION:
                return self._promote(request, minute)
            case RequestKind.DISMISSAL:
                self._shadow = None
                return self._learn(ShadowChanged(None), self._done(request))
            case RequestKind.ROLLBACK:
                return self._roll_back(request, minute)

    def _retrain(self, request: Request, minute: int) -> list[Decision]:
        if self._champion is None:
            raise ValueError("a backtest begins with a champion")
        number = max(self._made) + 1
        made = self._train(number, request, self._champion.version)
        if made.version is None:
            self.events.append(Event(minute, "retraining.refused", request.subject, made.reason))
            return self._learn(Answered(request.kind, request.subject, Outcome.REFUSED, None, made.reason))
        self._shadow = self._made[number] = Answers(made.version, self._features)
        self.events.append(Event(minute, "challenger.accepted", request.subject, made.reason, {"version": number}))
        answered = Answered(request.kind, request.subject, Outcome.REGISTERED, number, made.reason)
        return self._learn(ShadowChanged(number), answered)

    def _promote(self, request: Request, minute: int) -> list[Decision]:
        before, self._champion = self._champion, self._shadow
        self._previous = self._shadow = before
        if self._champion is None or before is None:
            raise ValueError("a promotion needs a champion and a challenger")
        self._say(minute, "model.promoted", request, self._champion)
        change = ChampionChanged(self._champion.version.number, self._champion.version.baseline)
        return self._learn(change, ShadowChanged(before.version.number), self._done(request))

    def _roll_back(self, request: Request, minute: int) -> list[Decision]:
        if self._previous is None:
            raise ValueError("there is no way back")
        self._champion, self._previous, self._shadow = self._previous, None, None
        self._say(minute, "model.rolled_back", request, self._champion)
        change = ChampionChanged(self._champion.version.number, self._champion.version.baseline, rolled_back=True)
        return self._learn(change, ShadowChanged(None), self._done(request))

    def _make_champion(self, answers: Answers, minute: int) -> None:
        self._champion = self._made[answers.version.number] = answers
        self.events.append(Event(minute, "model.promoted", f"version {answers.version.number}", "the first champion"))
        self._noted(self._learn(ChampionChanged(answers.version.number, answers.version.baseline)))

    def _say(self, minute: int, kind: str, request: Request, champion: Answers) -> None:
        details: dict[str, object] = {"version": champion.version.number, "episode": request.subject}
        self.events.append(Event(minute, kind, f"version {champion.version.number}", request.reason, details))

    def _done(self, request: Request) -> Answered:
        return Answered(request.kind, request.subject, Outcome.DONE, None, "")

    def _learn(self, *facts: Fact) -> list[Decision]:
        return [decision for fact in facts for decision in self.loop.learn(fact)]


def minute_of_time(time: np.datetime64) -> int:
    """Minutes since 1970."""
    return int(time.astype("datetime64[m]").astype(np.int64))


def _unscored(trips: TripColumns, grid: AreaGrid) -> ScoredTrips:
    """Room for the answers."""
    nothing = np.full(len(trips), np.nan, dtype=np.float32)
    champion, shadow = (
        PredictionColumns(trips.trip_id, nothing.copy(), nothing.copy(), nothing.copy()) for _ in ("champion", "shadow")
    )
    return scored_trips(trips, champion, NO_VERSION, grid, (NO_VERSION, shadow))


def _write(scored: ScoredTrips, rows: NDArray[np.intp], answers: Answers, *, shadow: bool) -> None:
    seconds = answers.of(int(rows[0]), int(rows[-1]) + 1)
    lower, upper = answers.version.intervals.of(seconds)
    role = "shadow_" if shadow else ""
    for name, values in (("duration", seconds), ("lower", lower), ("upper", upper)):
        getattr(scored, f"{role}{name}_seconds")[rows] = values
    (scored.shadow_version if shadow else scored.version)[rows] = answers.version.number
