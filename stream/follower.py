"""Keep champion and shadow fresh: ask the registry every few seconds, and at once when a message says that one has changed."""

import asyncio
from collections.abc import Callable
from typing import Protocol

import structlog

from domain.ports import ScoringModel, ShadowSource
from domain.services.follow_champion import ChampionReport
from domain.services.follow_shadow import ShadowReport
from stream.health import Readiness
from stream.metrics import Metrics

log = structlog.get_logger("tripcast.stream")

NO_CHAMPION = "no model version carries the alias champion; `tripcast train` makes one"
REGISTRY_DOWN = "does not answer; the champion of before scores"
LOCAL_COPY = "does not answer; the verified copy on this machine scores"


class Champion(Protocol):
    """`domain.services.follow_champion.FollowChampion`, as the worker uses it."""

    def current(self) -> ScoringModel:
        """The model that scores now. Raises NoChampion."""
        ...

    def refresh(self) -> ChampionReport:
        """Ask the registry; blocks; never raises for an unreachable registry."""
        ...


class Shadow(ShadowSource, Protocol):
    """`domain.services.follow_shadow.FollowShadow`, as the worker uses it."""

    def refresh(self) -> ShadowReport:
        """Ask the registry; blocks; never raises for an unreachable registry."""
        ...


class Follower:
    """Refreshes in a thread, one at a time, and tells logs, metrics and readiness what changed."""

    def __init__(self, champion: Champion, metrics: Metrics, readiness: Readiness, poll_seconds: float) -> None:
        self._champion, self._metrics, self._readiness, self._poll_seconds = champion, metrics, readiness, poll_seconds
        self._asked = asyncio.Event()
        self._round = asyncio.Event()
        self._registry_up: bool | None = None

    async def follow(self, stopping: Callable[[], bool]) -> None:
        """Refresh until told to stop."""
        while not stopping():
            self._asked.clear()
            self._tell(await asyncio.to_thread(self._champion.refresh))
            finished, self._round = self._round, asyncio.Event()
            finished.set()
            await _wait(self._asked, self._poll_seconds)

    def ask(self) -> None:
        """Refresh now rather than at the next turn."""
        self._asked.set()

    async def fresh(self, seconds: float) -> None:
        """Return when a refresh has ended, or after `seconds`: what is known then has to do."""
        self.ask()
        await _wait(self._round, seconds)

    def _tell(self, report: ChampionReport) -> None:
        self._metrics.registry_up.set(report.registry_up)
        if report.registry_up:
            self._readiness.degraded.pop("registry", None)
        else:
            self._readiness.degraded["registry"] = LOCAL_COPY if report.local_copy else REGISTRY_DOWN
        if report.registry_up != self._registry_up:
            self._registry_up = report.registry_up
            log.log(20 if report.registry_up else 30, "registry", up=report.registry_up, local_copy=report.local_copy)
        if report.refused is not None:
            log.error("champion_refused", version=report.refused.version.version, reason=report.refused.reason)
        if report.active is None:
            self._readiness.down("champion", NO_CHAMPION)
            return
        self._readiness.up("champion")
        if report.changed:
            before = report.replaced.version if report.replaced else None
            log.info("champion", version=report.active.version, kind=report.active.kind, before=before)
            self._metrics.champion(report.active)


class ShadowFollower:
    """Refreshes in a thread of its own: a challenger that is slow to come must not make the champion wait."""

    def __init__(self, shadow: Shadow, metrics: Metrics, poll_seconds: float) -> None:
        self._shadow, self._metrics, self._poll_seconds = shadow, metrics, poll_seconds
        self._asked = asyncio.Event()

    async def follow(self, stopping: Callable[[], bool]) -> None:
        """Refresh until told to stop."""
        while not stopping():
            self._asked.clear()
            self._tell(await asyncio.to_thread(self._shadow.refresh))
            await _wait(self._asked, self._poll_seconds)

    def ask(self) -> None:
        """Refresh now rather than at the next turn."""
        self._asked.set()

    def failed(self, model: ScoringModel, why: str) -> None:
        """It could not score a batch that the champion has scored."""
        log.error("challenger_failed", version=model.version, reason=why)
        self._shadow.refuse(model)
        self._metrics.challenger_refused()
        self.ask()

    def _tell(self, report: ShadowReport) -> None:
        self._metrics.challenger(report.active)
        if report.refused is not None:
            log.error("challenger_refused", version=report.refused.version.version, reason=report.refused.reason)
            self._metrics.challenger_refused()
        if report.changed:
            log.info("challenger", version=report.active.version if report.active else None)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
