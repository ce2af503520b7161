"""Keep the champion fresh: ask the registry every few seconds, and at once when an operator says so."""

import asyncio
from typing import Protocol

import structlog

from api.background import in_background
from api.checks import Checks
from api.metrics import Metrics
from domain.entities.models import ModelVersion
from domain.errors import NoChampion
from domain.ports import ScoringModel
from domain.services.follow_champion import ChampionReport
from schemas.http.models import RefusedVersion

log = structlog.get_logger("tripcast.api")

NO_CHAMPION = "no model version carries the alias champion; `tripcast train` makes one"
REGISTRY_DOWN = "MLflow does not answer; the champion here goes on"


class Champion(Protocol):
    """`domain.services.follow_champion.FollowChampion`, as the API uses it."""

    def current(self) -> ScoringModel:
        """The model that scores now. Raises NoChampion."""
        ...

    def refresh(self) -> ChampionReport:
        """Ask the registry; blocks; never raises for an unreachable registry."""
        ...


class Follower:
    """Refreshes in a thread, one at a time, and tells log, metrics and checks what it found."""

    def __init__(self, champion: Champion, metrics: Metrics, checks: Checks, poll_seconds: float) -> None:
        self._champion, self._metrics, self._checks, self._poll_seconds = champion, metrics, checks, poll_seconds
        self._registry_up: bool | None = None
        self.report = ChampionReport(None, registry_up=False)
        self.refused: RefusedVersion | None = None

    def active(self) -> ModelVersion:
        """The version that answers. Raises NoChampion."""
        if self.report.active is None:
            raise NoChampion(NO_CHAMPION)
        return self.report.active

    async def follow(self) -> None:
        """Refresh until cancelled."""
        while True:
            await self.now()
            await asyncio.sleep(self._poll_seconds)

    async def now(self) -> ChampionReport:
        """Refresh at once. A refresh that is running is waited for, for it may have asked too early."""
        report = await in_background(self._champion.refresh)
        self._take(report)
        return report

    def _take(self, report: ChampionReport) -> None:
        self.report = report
        self._note_refused(report)
        self._metrics.registry_up.set(report.registry_up)
        self._checks.note("registry", ok=report.registry_up, detail="" if report.registry_up else REGISTRY_DOWN)
        if report.registry_up != self._registry_up:
            self._registry_up = report.registry_up
            log.log(20 if report.registry_up else 30, "registry", up=report.registry_up, local_copy=report.local_copy)
        if report.active is None:
            self._checks.note("champion", ok=False, detail=self.refused.reason if self.refused else NO_CHAMPION)
            return
        self._checks.note("champion", ok=True, detail=f"version {report.active.version}")
        if report.changed:
            before = report.replaced.version if report.replaced else None
            log.info("champion", version=report.active.version, kind=report.active.kind, before=before)
            self._metrics.champion(report.active)

    def _note_refused(self, report: ChampionReport) -> None:
        """A refusal is told once by the report and stays true until another version answers."""
        if report.refused is not None:
            version, reason = report.refused.version.version, report.refused.reason
            self.refused = RefusedVersion(version=version, reason=reason)
            log.error("champion_refused", version=version, reason=reason)
        elif report.changed:
            self.refused = None
