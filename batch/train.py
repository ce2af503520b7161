"""Train the candidates on the stored trips, put the best through the gates, and register it.

What passes becomes challenger, to be compared with the champion on live trips; champion at once only when nobody is, or when
somebody asks for it. A training is remembered under its subject before its alias moves: whoever runs it again after a crash
finds it done, and nothing is trained twice for one request.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from batch.build import BuildModel, Built, Judged, Rival, Trusted, set_aside
from batch.compare import Contender
from batch.evidence import evidence_of
from batch.labelled import LabelledTrips
from batch.plots import draw
from batch.ports import Experiments, History, Journal, Records
from domain.data_gates import Evidence
from domain.entities.models import Alias, LifecycleEvent, ModelVersion
from domain.entities.trainings import TrainedFrom, TrainingRun
from domain.errors import ModelRefused
from domain.evaluation import Scores, Split
from domain.features import feature_schema
from domain.gates import GateResult
from domain.ports import Announce, Clock, ModelLibrary, ModelRegistry
from domain.split import utc64

FINISHED = "retraining.finished"
PROMOTED, REGISTERED, REFUSED = "promoted", "registered", "refused"  # outcomes

Promote = Callable[[int, str, str], Awaitable[object]]
Span = tuple[datetime, datetime]


@dataclass(frozen=True, slots=True)
class TrainingRequest:
    """Who wants a training, why, and of which pickups; `subject` names the request, so that it is answered once.

    `promote`: None makes the model champion only when there is no other. Times are event time: trips count that had ended
    `as_of`; `since_break`: when the city changed; `exclude`: spans in which the feed was at fault.
    """

    actor: str
    reason: str
    since: datetime | None = None
    until: datetime | None = None
    promote: bool | None = None
    subject: str | None = None
    as_of: datetime | None = None
    since_break: datetime | None = None
    exclude: tuple[Span, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class TrainingReport:
    """What came of a training. `alias`: what the version is now; None when the place of the challenger was taken."""

    version: int
    trained_from: TrainedFrom
    contenders: Sequence[Contender]
    coverage: float
    gates: Sequence[GateResult]
    alias: Alias | None = None

    @property
    def best(self) -> Contender:
        """The contender that was registered."""
        return self.contenders[0]

    @property
    def promoted(self) -> bool:
        """Whether it is champion now."""
        return self.alias is Alias.CHAMPION


@dataclass(frozen=True, slots=True)
class TrainModels:
    """See the module. Callers hold the lock of trainings."""

    history: History
    registry: ModelRegistry
    library: ModelLibrary
    experiments: Experiments
    records: Records
    journal: Journal
    announce: Announce
    promote: Promote
    build: BuildModel
    clock: Clock

    async def __call__(self, request: TrainingRequest) -> TrainingReport | None:
        """None when the subject was dealt with before.

        Raises ModelRefused when a gate says so, NotEnoughTrips, RegistryUnreachable, DatabaseUnreachable; the champion is
        untouched then.
        """
        if request.subject and await self.journal.newest([FINISHED], request.subject):
            return None
        champion = self._champion()
        started_at = self.clock.now()
        evidence = await self._evidence(request, champion)
        trusted = await self.records.trusted()
        # In a thread, so that the connection that holds the lock stays alive and SIGTERM is heard.
        judged = await asyncio.to_thread(self._judge, evidence, champion, Trusted(*trusted) if trusted else None)
        known_until = evidence.known_until
        if request.subject and await self.journal.newest([FINISHED], request.subject):
            return None  # the lock was lost with the database, and somebody else was faster
        del evidence  # ten million trips are a gigabyte
        report = await self._register(judged, request, started_at)
        if trusted is None and judged.labelled:
            await self._set_aside(judged.labelled, known_until)
        return await self._decide(report, request, replace_champion=champion is None)

    def _champion(self) -> ModelVersion | None:
        """The champion, if this program can score with it. An unreachable registry is better known before the work."""
        champion = self.registry.resolve(Alias.CHAMPION)
        return champion if champion and champion.feature_schema == feature_schema(self.build.clock) else None

    async def _evidence(self, request: TrainingRequest, champion: ModelVersion | None) -> Evidence:
        self.build.progress("reading the stored trips")
        trips, completions = await self.history.labelled_trips(request.since, request.until, ended_before=request.as_of)
        if champion is None and request.as_of is None:
            return Evidence(trips, completions)
        known_until = await self.records.known_until(champion.run_id) if champion else None
        return evidence_of(
            trips,
            completions,
            as_of=_utc64(request.as_of),
            since_break=_utc64(request.since_break),
            known_until=_utc64(known_until),
            exclude=[(utc64(first), utc64(until)) for first, until in request.exclude],
            maturity_minutes=self.build.limits.maturity_minutes,
        )

    def _judge(self, evidence: Evidence, champion: ModelVersion | None, trusted: Trusted | None) -> Judged:
        if champion is None:
            return self.build(evidence)
        model = self.library.admit(champion, self.registry.download)
        return self.build(evidence, Rival(model.duration_seconds, evidence.known_until), trusted)

    async def _register(self, judged: Judged, request: TrainingRequest, started_at: datetime) -> TrainingReport:
        """Keep the model with all that was found, also when it was refused; then raise ModelRefused."""
        subject = request.subject or f"training by {request.actor}"
        if judged.built is None or judged.labelled is None:
            await self.records.judged(subject, None, judged.gates)
            await self._finish(request, subject, REFUSED, {"why": judged.refusal})
            raise ModelRefused(f"nothing was trained: {judged.refusal}")
        report = await self._publish(judged.built, judged.labelled, started_at=started_at, reason=request.reason)
        await self.records.judged(request.subject or f"version {report.version}", report.version, judged.gates)
        if judged.refusal is not None:
            await self._finish(request, f"version {report.version}", REFUSED, {"why": judged.refusal}, report)
            raise ModelRefused(f"version {report.version} is not used: {judged.refusal}")
        return replace(report, gates=judged.gates)

    async def _publish(self, built: Built, labelled: LabelledTrips, *, started_at: datetime, reason: str) -> TrainingReport:
        self.build.progress("writing to MLflow")
        identity, best = self.build.ground.identity(labelled), built.contenders[0]
        version = 0
        for contender in built.contenders:
            run_id = self._record(contender, labelled, identity)
            run = _training_run(run_id, contender, identity, started_at, reason)
            if contender is best:
                metrics = {**metrics_of(contender), "interval_coverage": built.coverage}
                version = self.experiments.register(run_id, built.package, metrics)
                await self.records.normal(version, run_id, built.baseline)
                run = replace(run, model_version=version)
            await self.records.add(run)
        return TrainingReport(version, identity, built.contenders, built.coverage, ())

    def _record(self, contender: Contender, labelled: LabelledTrips, identity: TrainedFrom) -> str:
        schema = feature_schema(self.build.clock)
        parameters = {**contender.candidate.parameters, "feature_schema": schema, "split": Split.TIME}
        span = {"data_from": identity.data_from.isoformat(), "data_to": identity.data_to.isoformat()}
        data: dict[str, float | str] = {**span, "data_rows": identity.rows, "data_sha256": identity.data_sha256}
        with TemporaryDirectory() as folder:
            draw(contender, labelled, Path(folder))
            name = contender.candidate.name
            return self.experiments.record(name, identity, {**parameters, **data}, metrics_of(contender), Path(folder))

    async def _set_aside(self, labelled: LabelledTrips, known_until: np.datetime64 | None) -> None:
        trusted = set_aside(labelled, known_until)
        if len(trusted.seconds):
            await self.records.set_aside(trusted.trips, trusted.seconds)

    async def _decide(self, report: TrainingReport, request: TrainingRequest, *, replace_champion: bool) -> TrainingReport:
        subject = f"version {report.version}"
        if request.promote or (request.promote is None and replace_champion):
            await self.promote(report.version, request.actor, request.reason)
            await self._finish(request, subject, PROMOTED, {}, report)
            return replace(report, alias=Alias.CHAMPION)
        await self._finish(request, subject, REGISTERED, {}, report)
        if request.subject is None and self._watching():
            return report
        self.registry.set_alias(Alias.CHALLENGER, report.version)
        return replace(report, alias=Alias.CHALLENGER)

    def _watching(self) -> bool:
        """Whether the previous champion is challenger, to be compared with the one that took its place."""
        challenger, previous = self.registry.resolve(Alias.CHALLENGER), self.registry.resolve(Alias.PREVIOUS)
        return challenger is not None and previous is not None and challenger.version == previous.version

    async def _finish(
        self,
        request: TrainingRequest,
        subject: str,
        outcome: str,
        more: dict[str, object],
        report: TrainingReport | None = None,
    ) -> None:
        details: dict[str, object] = {"outcome": outcome, **more}
        if report is not None:
            details |= {"rmse_minutes": report.best.time.rmse_minutes, "version": report.version}
            details |= {"candidate": report.best.candidate.name}
        event = LifecycleEvent(FINISHED, request.subject or subject, request.actor, request.reason, self.clock.now(), details)
        await self.journal.record(event)
        await self.announce(event)


def metrics_of(contender: Contender) -> dict[str, float]:
    """Metrics by their MLflow names; those without a prefix are over the trips held out by time."""
    found: dict[str, float] = {**asdict(contender.time), "training_seconds": contender.seconds}
    for prefix, scores in (("random_split", contender.random), ("classic_inputs", contender.classic)):
        found |= {f"{prefix}_{name}": value for name, value in asdict(scores).items()} if scores else {}
    return found


def _utc64(time: datetime | None) -> np.datetime64 | None:
    return None if time is None else utc64(time)


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
