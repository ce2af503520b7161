"""Build a model from trips and put it through the gates: the one way, for trainings and for backtests."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from batch.candidate import Candidate
from batch.compare import Contender, Progress, clipped, compare
from batch.ground import HERE, Ground
from batch.labelled import LabelledTrips
from batch.pack import OpenGraph, Score, Trained, pack
from batch.recipe import BEFORE_BREAK, Break, Recipe
from domain.areas import AreaGrid
from domain.baselines import Baseline, band_of, baseline_of
from domain.data_gates import City, Evidence, data_gates
from domain.entities.trips import Floats, Times, TripColumns
from domain.features import FEATURES, CityClock, Matrix, features_of
from domain.gates import (
    Duel,
    GateLimits,
    GateResult,
    finite_gate,
    refusal,
    slice_gate,
    sound_gate,
    speed_gate,
    trusted_gate,
    window_gate,
)
from domain.intervals import IntervalBands, calibrate
from domain.packages import ModelPackage
from domain.quality import ServiceArea

TRUSTED_TRIPS = 5000
TIMED_ROWS = 4096
TIMES = 3  # the best of them counts: a busy machine makes a model slower, never faster


@dataclass(frozen=True, slots=True, eq=False)
class Trusted:
    """Trips that were set aside once and for all, with durations in seconds, shape (n,)."""

    trips: TripColumns
    seconds: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Rival:
    """The champion: how it answers, and the newest pickup that it learnt from, if that is known."""

    score: Score
    known_until: np.datetime64 | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Built:
    """A model that could be registered. `contenders`, the best first: it is the first of them, trained on all trips.

    `coverage`: share of the second half of the held-out trips inside intervals calibrated on the first half.
    """

    contenders: Sequence[Contender]
    package: ModelPackage
    coverage: float
    baseline: Baseline


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What the gates found. `built` and `labelled` are None when the trips themselves were refused."""

    gates: list[GateResult]
    built: Built | None = None
    labelled: LabelledTrips | None = None

    @property
    def refusal(self) -> str | None:
        """Why the model must not be compared with the champion; None when it may."""
        return refusal(self.gates)


def time_of(score: Score, features: Matrix) -> float:
    """Microseconds a trip, scoring a batch of the stream's usual size."""
    rows = features[:TIMED_ROWS]
    took = []
    for _ in range(TIMES):
        started = time.perf_counter()
        score(rows)
        took.append(time.perf_counter() - started)
    return min(took) / len(rows) * 1e6


@dataclass(frozen=True, slots=True)
class BuildModel:
    """See the module. `microseconds` measures; a backtest, which must repeat itself to the byte, may say a constant.

    `thorough`: also train for comparison with the course; see `batch.compare`. `ground`: where models are trained.
    """

    candidates: Sequence[Candidate]
    open_graph: OpenGraph
    area: ServiceArea
    clock: CityClock
    limits: GateLimits
    threads: int
    progress: Progress
    microseconds: Callable[[Score, Matrix], float] = time_of
    thorough: bool = False
    ground: Ground = HERE

    def __call__(self, evidence: Evidence, rival: Rival | None = None, trusted: Trusted | None = None) -> Judged:
        """Without a rival the trips are taken as they are: the first champion has nothing to be compared with.

        Raises NotEnoughTrips, and ModelRefused when the graph is not what the library trained.
        """
        city = City(AreaGrid(self.area), self.clock)
        gates = data_gates(evidence, self.limits, city) if rival else []
        if refusal(gates) is not None:
            return Judged(gates)
        labelled = LabelledTrips.of(evidence.trips, evidence.completions, self.area, self.clock)
        change = self._change(labelled, evidence.since_break, rival, city)
        recipe = self.ground.divide(evidence, labelled, change)
        contenders = compare(
            self.candidates, labelled, self.threads, self.progress, recipe, thorough=self.thorough, ground=self.ground
        )
        built = self._build(contenders, labelled, recipe)
        return Judged([*gates, *self._judge(built, labelled, rival, trusted, city)], built, labelled)

    def _change(self, labelled: LabelledTrips, since: np.datetime64 | None, rival: Rival | None, city: City) -> Break | None:
        """What the champion says of the trips around the break."""
        if since is None:
            return None
        groups = slices_of(labelled.trips, city)
        near = np.flatnonzero(labelled.trips.pickup_at >= since - BEFORE_BREAK)
        answers = None
        if rival is not None:
            answers = np.ones(len(labelled.seconds), dtype=np.float32)
            answers[near] = rival.score(features_of(labelled.trips.take(near), self.clock))
        return Break(since, answers, (groups["area"], groups["hour band"]))

    def _build(self, contenders: Sequence[Contender], labelled: LabelledTrips, recipe: Recipe) -> Built:
        """Learn from all trips; calibrate on those that the judged model had not seen."""
        best = contenders[0]
        self.progress(f"training {best.candidate.name} on all trips")
        actual = labelled.seconds[best.held_out]
        half = len(actual) // 2
        coverage = coverage_of(calibrate(best.predicted[:half], actual[:half]), best, labelled, first=half)
        features = labelled.features()
        fitted = self.ground.teach(best.candidate, recipe.everything, features, self.threads)
        trained = Trained(best.candidate.name, fitted, calibrate(best.predicted, actual))
        self.progress("checking the graph against the library")
        package = pack(trained, features[best.held_out], self.clock, self.open_graph)
        baseline = self._normal(best.candidate, recipe, labelled, features)
        return Built(contenders, package, coverage, baseline)

    def _normal(self, candidate: Candidate, recipe: Recipe, labelled: LabelledTrips, features: Matrix) -> Baseline:
        """How such a model errs on trips like those that it learnt from."""
        self.progress("finding out what is normal for it")
        usual = recipe.usual
        fitted = self.ground.teach(candidate, recipe.common, features, self.threads)
        return baseline_of(
            labelled.trips.take(recipe.current),
            np.searchsorted(recipe.current, usual),
            predicted_seconds=clipped(fitted.predict(features[usual])),
            actual_seconds=labelled.seconds[usual],
            grid=AreaGrid(self.area),
            clock=self.clock,
        )

    def _judge(
        self, built: Built, labelled: LabelledTrips, rival: Rival | None, trusted: Trusted | None, city: City
    ) -> list[GateResult]:
        best = built.contenders[0]
        score = self.open_graph(built.package.graph, len(FEATURES))
        held_out = labelled.trips.take(best.held_out)
        features = features_of(held_out, self.clock)
        gates = [sound_gate(best.time, built.coverage), finite_gate(score(features))]
        gates.append(speed_gate(self.microseconds(score, features), self.limits))
        if rival is None:
            return gates
        if trusted is not None:
            old = features_of(trusted.trips, self.clock)
            gates.append(trusted_gate(Duel(trusted.seconds, rival.score(old), score(old)), self.limits))
        newest = _unknown(held_out.pickup_at, rival.known_until)
        duel = Duel(labelled.seconds[best.held_out], rival.score(features), best.predicted).take(newest)
        slices = slices_of(held_out.take(newest), city)
        return [*gates, window_gate(duel, self.limits), slice_gate(duel, slices, self.limits)]


def slices_of(trips: TripColumns, city: City) -> dict[str, NDArray[np.integer]]:
    """By what parts of the city are told apart, and which part each trip belongs to."""
    area = city.grid.of(trips.pickup_latitude, trips.pickup_longitude)
    return {"area": area, "hour band": band_of(city.clock.local(trips.pickup_at)), "vendor": trips.vendor_id}


def set_aside(labelled: LabelledTrips, until: np.datetime64 | None = None) -> Trusted:
    """Trips evenly spread over all with a pickup up to then; the trusted set, if none was set aside before."""
    rows = np.flatnonzero(labelled.trips.pickup_at <= until) if until is not None else np.arange(len(labelled.seconds))
    rows = rows[:: max(1, -(-len(rows) // TRUSTED_TRIPS))]
    return Trusted(labelled.trips.take(rows), labelled.seconds[rows])


def coverage_of(intervals: IntervalBands, contender: Contender, labelled: LabelledTrips, first: int) -> float:
    """Share of the held-out trips from the one numbered `first` on whose durations lie inside their intervals."""
    actual = labelled.seconds[contender.held_out][first:]
    lower, upper = intervals.of(contender.predicted[first:])
    return float(np.mean((actual >= lower) & (actual <= upper)))


def _unknown(pickup_at: Times, known_until: np.datetime64 | None) -> NDArray[np.bool_]:
    """Trips that the champion has not learnt from."""
    return np.ones(len(pickup_at), dtype=np.bool_) if known_until is None else np.asarray(pickup_at > known_until)
