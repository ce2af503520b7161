"""Answers that many may ask for at once: read once, kept for a while, and kept longer while their source is away."""

import asyncio
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from api.problems import ApiProblem
from api.reads.describe import summary
from api.reads.panels import Cached, Shelf
from api.reads.ports import Answers
from api.reads.reigns import reigns_of
from domain.entities import cohorts
from domain.entities.models import ModelVersion as Registered
from domain.entities.trainings import TrainingRun as Trained
from domain.features import CityClock
from schemas.http.health import Builds, RoleStatus
from schemas.http.models import Models, ModelVersion, Reign, TrainingRun
from schemas.http.quality import Cohort, Quality
from schemas.http.snapshot import Areas
from schemas.http.trips import DatabaseStats, ReasonCount, TripsSummary

ANSWER_SECONDS = 4.0  # then the caller is told to come again, and the answer is kept for that
KEPT_SECONDS = 1.0  # for a newer answer; then the one that is kept is told
Data = TypeVar("Data")


@dataclass(frozen=True, slots=True)
class Library:
    """See the module. Raises ApiProblem 503 while there is nothing to tell."""

    answers: Answers
    shelf: Shelf
    areas: Areas
    clock: CityClock
    model_name: str
    run_url: Callable[[str], str | None]
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    _quality: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(1))  # each takes two of few connections

    async def models(self) -> Models:
        """Versions as the registry has them now, or had them last; runs and reigns as they are recorded."""
        versions = self.shelf.get(("versions",), self.answers.versions, 5.0)
        runs = self._kept(("runs",), self.answers.runs, 5.0)
        found, reigns, _ = await asyncio.gather(runs, self.reigns(), versions.fresh(ANSWER_SECONDS))
        return Models(
            name=self.model_name,
            registry_up=versions.error is None,
            versions=[self._version(version) for version in versions.data or []],
            runs=[self._run(run) for run in found],
            reigns=reigns,
        )

    async def reigns(self) -> list[Reign]:
        """Newest first."""
        return reigns_of(await self._kept(("reigns",), self.answers.role_changes, 1.0))

    async def summary(self) -> TripsSummary:
        """Of all stored trips."""
        return await self._kept(("summary",), self._summary, 60.0)

    async def stats(self) -> DatabaseStats:
        """Sizes."""
        return await self._kept(("stats",), self.answers.stats, 10.0)

    async def database_bytes(self) -> int | None:
        """None while the database is away and was never asked."""
        cached = self.shelf.get(("bytes",), self.answers.database_bytes, 10.0)
        return (await cached.fresh(1.0)).data

    async def quality(self, by: cohorts.By, since: datetime | None, until: datetime | None) -> Quality:
        """Cohorts."""
        report = await self._kept(("quality", by, since, until), lambda: self._asked(by, since, until), 5.0)
        return _quality(report)

    async def reasons(self) -> list[ReasonCount]:
        """Of dead letters."""
        return await self._kept(("reasons",), self.answers.reasons, 2.0)

    async def roles(self) -> list[RoleStatus]:
        """Of the other roles."""
        return await self._kept(("roles",), self.answers.roles, 2.0)

    async def builds(self) -> Builds:
        """Of the continuous integration."""
        return await self._kept(("builds",), self.answers.builds, 60.0)

    async def _kept(self, key: tuple[Hashable, ...], load: Callable[[], Awaitable[Data]], every: float) -> Data:
        known: Cached[Data] = self.shelf.get(key, load, every)
        cached = await known.fresh(ANSWER_SECONDS if known.data is None else KEPT_SECONDS)
        if cached.data is None:
            words = cached.error or "It takes longer than usual: ask again."
            raise ApiProblem(503, "unreachable", "Something that is needed does not answer", words, retry_after=1)
        return cached.data

    async def _summary(self) -> TripsSummary:
        sample, refused, reasons = await asyncio.gather(
            self.answers.stored_sample(), self.answers.refused_rows(), self.answers.reasons()
        )
        quarantined = {each.reason: each.count for each in reasons}
        return await asyncio.to_thread(summary, sample, self.clock, refused, quarantined, self.now())

    async def _asked(self, by: cohorts.By, since: datetime | None, until: datetime | None) -> cohorts.QualityReport:
        async with self._quality:
            return await self.answers.quality(by, since, until)

    def _version(self, version: Registered) -> ModelVersion:
        return ModelVersion(
            version=version.version,
            kind=version.kind,
            run_id=version.run_id,
            created_at=version.created_at,
            aliases=list(version.aliases),
            metrics=version.metrics,
            feature_schema=version.feature_schema,
            run_url=self.run_url(version.run_id),
        )

    def _run(self, run: Trained) -> TrainingRun:
        return TrainingRun(
            run_id=run.mlflow_run_id,
            candidate=run.candidate,
            started_at=run.started_at,
            seconds=run.seconds,
            rows=run.rows,
            data_from=run.data_from,
            data_to=run.data_to,
            rmse_minutes=run.rmse_minutes,
            mae_minutes=run.mae_minutes,
            r2=run.r2,
            model_version=run.model_version,
            reason=run.reason,
            run_url=self.run_url(run.mlflow_run_id),
        )


def _quality(report: cohorts.QualityReport) -> Quality:
    counts = report.counts
    return Quality(
        by=report.by.value,
        since=report.since,
        until=report.until,
        mature_until=report.mature_until,
        mature=[_cohort(cohort) for cohort in report.mature],
        immature=[_cohort(cohort) for cohort in report.immature],
        started=counts.started,
        settled=counts.settled,
        pending=counts.pending,
        expired=counts.expired,
        late=counts.late,
    )


def _cohort(cohort: cohorts.Cohort) -> Cohort:
    return Cohort(
        segment=cohort.segment,
        role=cohort.role.value,
        mature=cohort.mature,
        started=cohort.started,
        settled=cohort.settled,
        coverage=cohort.coverage,
        mae_minutes=cohort.mae_minutes,
        rmse_minutes=cohort.rmse_minutes,
        bias_minutes=cohort.bias_minutes,
        log_ratio=cohort.log_ratio,
        interval_coverage=cohort.interval_coverage,
    )
