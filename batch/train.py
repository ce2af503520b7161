"""Train the candidates on the stored trips, register the best, and make it champion when nothing speaks against it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from batch.candidate import Candidate
from batch.compare import Contender, Progress, compare
from batch.labelled import LabelledTrips
from batch.pack import OpenGraph, Trained, pack
from batch.plots import draw
from batch.ports import Experiments, History, Records
from domain.entities.models import Alias, LifecycleEvent
from domain.entities.trainings import TrainedFrom, TrainingRun
from domain.errors import ModelRefused
from domain.evaluation import Scores, Split
from domain.features import CityClock, feature_schema
from domain.intervals import IntervalBands, calibrate
from domain.packages import ModelPackage
from domain.ports import Announce, Clock, LifecycleJournal, ModelRegistry
from domain.promotion import objection
from domain.quality import ServiceArea

FINISHED = "retraining.finished"


Promote = Callable[[int, str, str], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """Who wants a training, why, and of which pickups; `subject` names the request, so that it is answered once."""

    actor: str
    reason: str
    since: datetime | None = None
    until: datetime | None = None
    promote: bool = True
    subject: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class TrainingReport:
    """What came of a training.

    `coverage`: share of the second half of the held-out trips inside intervals calibrated on the first half.
    """

    version: int
    objection: str | None
    trained_from: TrainedFrom
    contenders: Sequence[Contender]
    coverage: float
    promoted: bool = False

    @property
    def best(self) -> Contender:
        """The contender that was registered."""
        return self.contenders[0]


@dataclass(frozen=True, slots=True)
class TrainModels:
    """See the module. Callers hold the lock of trainings. `progress` hears a few words at each step."""

    history: History
    registry: ModelRegistry
    experiments: Experiments
    records: Records
    journal: LifecycleJournal
    announce: Announce
    promote: Promote
    open_graph: OpenGraph
    candidates: Sequence[Candidate]
    area: ServiceArea
    city: CityClock
    clock: Clock
    threads: int
    progress: Progress

    async def __call__(self, request: TrainingRequest) -> TrainingReport:
        """Raises NotEnoughTrips, ModelRefused, RegistryUnreachable, DatabaseUnreachable; the champion is untouched then."""
        self.registry.resolve(Alias.CHAMPION)  # an unreachable registry is better known before the work than after it
        started_at = self.clock.now()
        self.progress("reading the stored trips")
        trips, completions = await self.history.labelled_trips(request.since, request.until)
        labelled = LabelledTrips.of(trips, completions, self.area, self.city)
        del trips, completions  # ten million trips are a gigabyte
        # In a thread, so that the connection that holds the lock stays alive and SIGTERM is heard.
        contenders = await asyncio.to_thread(compare, self.candidates, labelled, self.threads, self.progress)
        package, coverage = await asyncio.to_thread(self._package, contenders[0], labelled)
        report = await self._publish(contenders, package, coverage, labelled, started_at=started_at, reason=request.reason)
        return await self._decide(report, request)

    def _package(self, best: Contender, labelled: LabelledTrips) -> tuple[ModelPackage, float]:
        """Learn from all trips; calibrate on those that the judged model had not seen."""
        self.progress(f"training {best.candidate.name} on all trips")
        actual = labelled.seconds[best.held_out]
        half = len(actual) // 2
        coverage = coverage_of(calibrate(best.predicted[:half], actual[:half]), best, labelled, first=half)
        features = labelled.features()
        fitted = best.candidate.fit(features, labelled.seconds, self.threads)
        trained = Trained(best.candidate.name, fitted, calibrate(best.predicted, actual))
        self.progress("checking the graph against the library")
        return pack(trained, features[best.held_out], self.city, self.open_graph), coverage

    async def _publish(
        self,
        contenders: Sequence[Contender],
        package: ModelPackage,
        coverage: float,
        labelled: LabelledTrips,
        *,
        started_at: datetime,
        reason: str,
    ) -> TrainingReport:
        self.progress("writing to MLflow")
        identity = labelled.identity()
        version = 0
        for contender in contenders:
            run_id = self._record(contender, labelled, identity)
            if contender is contenders[0]:
                metrics = {**metrics_of(contender), "interval_coverage": coverage}
                version = self.experiments.register(run_id, package, metrics)
            run = _training_run(run_id, contender, identity, started_at, reason)
            await self.records.add(replace(run, model_version=version if contender is contenders[0] else None))
        why_not = objection(contenders[0].time, coverage)
        return TrainingReport(version, why_not, identity, contenders, coverage)

    def _record(self, contender: Contender, labelled: LabelledTrips, identity: TrainedFrom) -> str:
        parameters = {**contender.candidate.parameters, "feature_schema": feature_schema(self.city), "split": Split.TIME}
        span = {"data_from": identity.data_from.isoformat(), "data_to": identity.data_to.isoformat()}
        data: dict[str, float | str] = {**span, "data_rows": identity.rows, "data_sha256": identity.data_sha256}
        with TemporaryDirectory() as folder:
            draw(contender, labelled, Path(folder))
            name = contender.candidate.name
            return self.experiments.record(name, identity, {**parameters, **data}, metrics_of(contender), Path(folder))

    async def _decide(self, report: TrainingReport, request: TrainingRequest) -> TrainingReport:
        promoted = request.promote and report.objection is None
        if promoted:
            await self.promote(report.version, request.actor, request.reason)
        elif report.objection is None:
            self.registry.set_alias(Alias.CHALLENGER, report.version)
        await self._finish(report, request, promoted=promoted)
        if report.objection is not None:
            raise ModelRefused(f"version {report.version} does not become champion: {report.objection}")
        return replace(report, promoted=promoted)

    async def _finish(self, report: TrainingReport, request: TrainingRequest, *, promoted: bool) -> None:
        outcome = "promoted" if promoted else report.objection or "registered as challenger"
        details: dict[str, object] = {"outcome": outcome, "rmse_minutes": report.best.time.rmse_minutes}
        subject = request.subject or f"version {report.version}"
        details |= {"version": report.version, "candidate": report.best.candidate.name}
        event = LifecycleEvent(FINISHED, subject, request.actor, request.reason, self.clock.now(), details)
        await self.journal.record(event)
        await self.announce(event)


def metrics_of(contender: Contender) -> dict[str, float]:
    """Metrics by their MLflow names; those without a prefix are over the trips held out by time."""
    random = {f"random_split_{name}": value for name, value in asdict(contender.random).items()}
    classic = {f"classic_inputs_{name}": value for name, value in asdict(contender.classic).items()}
    return {**asdict(contender.time), **random, **classic, "training_seconds": contender.seconds}


def coverage_of(intervals: IntervalBands, contender: Contender, labelled: LabelledTrips, first: int) -> float:
    """Share of the held-out trips from the one numbered `first` on whose durations lie inside their intervals."""
    actual = labelled.seconds[contender.held_out][first:]
    lower, upper = intervals.of(contender.predicted[first:])
    return float(np.mean((actual >= lower) & (actual <= upper)))


def _training_run(run_id: str, contender: Contender, identity: TrainedFrom, started_at: datetime, reason: str) -> TrainingRun:
    scores: Scores = contender.time
    return TrainingRun(
        mlflow_run_id=run_id,
        candidate=contender.candidate.name,
        split=Split.TIME,
        started_at=started_at,
        seconds=contender.seconds,
        rows=identity.rows,
        data_from=identity.data_from,
        data_to=identity.data_to,
        data_sha256=identity.data_sha256,
        rmse_minutes=scores.rmse_minutes,
        mae_minutes=scores.mae_minutes,
        r2=scores.r2,
        model_version=None,
        reason=reason,
    )
