"""Put a backtest together: files, candidates, gates, policy and detectors, without Kafka or a database."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import numpy as np

from adapters.files.own_layouts import read_layout
from adapters.files.policies import read_policy
from adapters.files.trip_files import open_trip_file
from adapters.files.zones import read_zones
from adapters.onnx.model import Graph
from adapters.river.detectors import RiverDetector
from batch.backtest import Backtest
from batch.backtest_courses import Course, Stage, drift_course, nightly_course, static_course
from batch.backtest_span import START_MONTHS, month_after, straight
from batch.backtest_trainer import TrainOnHistory
from batch.build import BuildModel
from batch.candidate import Candidate
from batch.catalogue import chosen
from batch.settings import BatchSettings
from domain.areas import AreaGrid
from domain.entities.trips import CompletionColumns, TripColumns
from domain.errors import NotEnoughTrips
from domain.split import utc64

STATIC, NIGHTLY, DRIFT = COURSES = ("static", "nightly", "drift")
SCORING_MICROSECONDS = 10.0  # a measured time would be another at each run
Report = Callable[[str, float], None]  # what is going on, and the share of it that is done


@dataclass(frozen=True, slots=True)
class BacktestOptions:
    """What was asked for. `train_until`: pickups before it make the first model; None: the first months of the files.

    `nightly_from`: the nightly courses, which cost the most, train from then on. `candidates`: as the setting. Times are aware.
    """

    files: Sequence[Path]
    zones: Path | None = None
    policy: Path | None = None
    compare: Sequence[str] = COURSES
    nightly_days: Sequence[int] = (120,)
    nightly_from: datetime | None = None
    train_until: datetime | None = None
    until: datetime | None = None
    candidates: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """Trips of files in order of pickup, each once, row by row with their ends."""

    trips: TripColumns
    completions: CompletionColumns
    refused: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What came of a backtest."""

    stage: Stage
    courses: list[Course] = field(default_factory=list)


def run(settings: BatchSettings, options: BacktestOptions, report: Report) -> Outcome:
    """Read, train, live through. Raises InvalidInput, WrongColumns, NotEnoughTrips, ModelRefused."""
    candidates = chosen(options.candidates or settings.train_candidates)
    policy = read_policy(options.policy or settings.policy)
    past = read_past(settings, options.files, options.zones, report)
    stage = _stage(settings, past, options)
    build = BuildModel(
        candidates=candidates,
        open_graph=Graph.open,
        area=settings.rules().area,
        clock=settings.clock(),
        limits=policy.gates,
        threads=settings.train_threads,
        progress=lambda _: None,
        microseconds=lambda *_: SCORING_MICROSECONDS,
    )
    outcome = Outcome(stage)
    report("training the first model", 0.0)
    train = TrainOnHistory(build, past.trips, past.completions)
    first = train.first(stage.since)
    if STATIC in options.compare:
        outcome.courses.append(static_course(stage, first))
    if NIGHTLY in options.compare:
        threads = settings.train_threads
        outcome.courses.extend(_nightly(stage, options, candidates[-1], threads, report))
    if DRIFT in options.compare:
        grid, clock = AreaGrid(settings.rules().area), settings.clock()
        backtest = Backtest(policy, RiverDetector, train, grid, clock, trips=past.trips, completions=past.completions)
        outcome.courses.append(drift_course(stage, backtest, first, lambda share: report("drift", share)))
    return outcome


def read_past(settings: BatchSettings, files: Sequence[Path], zones: Path | None, report: Report) -> Past:
    """The accepted trips of files. Raises InvalidInput, WrongColumns, and NotEnoughTrips when there are none."""
    centroids, now = read_zones(zones) if zones else None, datetime.now(UTC)
    own = read_layout(settings.trip_columns)
    batches, refused = [], 0
    for number, path in enumerate(files):
        report("reading files", number / len(files))
        for batch in open_trip_file(path, settings.clock(), settings.rules(), centroids, own).batches(now):
            batches.append(batch)
            refused += len(batch.rejected)
    if not any(len(batch.trips) for batch in batches):
        raise NotEnoughTrips("the files hold no trip that can be used")
    trips = TripColumns.concatenate([batch.trips for batch in batches])
    completions = CompletionColumns.concatenate([batch.completions for batch in batches])
    rows = straight(trips, settings.clock())
    return Past(trips.take(rows), completions.take(rows), refused)


def _stage(settings: BatchSettings, past: Past, options: BacktestOptions) -> Stage:
    pickup_at = past.trips.pickup_at
    since = utc64(options.train_until) if options.train_until else month_after(pickup_at, settings.clock(), START_MONTHS)
    until = utc64(options.until) if options.until else pickup_at.max() + np.timedelta64(1, "us")
    if not since < until:
        raise NotEnoughTrips(f"no trip begins after {since.astype('datetime64[s]')} UTC, up to which the first model learns")
    return Stage(past.trips, past.completions, settings.clock(), since, until)


def _nightly(stage: Stage, options: BacktestOptions, candidate: Candidate, threads: int, report: Report) -> list[Course]:
    """One candidate, trained each night, is enough to compare with."""
    if options.nightly_from is not None:
        since = max(stage.since, utc64(options.nightly_from))
        stage = Stage(stage.trips, stage.completions, stage.clock, since, stage.until)
    courses = []
    for days in options.nightly_days:
        told = partial(report, f"nightly on {days} days")
        courses.append(nightly_course(stage, candidate, days, threads, told))
    return courses
