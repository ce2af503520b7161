"""Asks the API for snapshots on behalf of all browsers: twenty boards that look at one view cost what one does."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import NamedTuple

import structlog

from dashboard.client import ApiError, ApiRefused, Client
from schemas.http.base import Period
from schemas.http.snapshot import Snapshot

log = structlog.get_logger("tripcast.dashboard")

EVERY_SECONDS = 1.0
FORGET_SECONDS = 10.0  # a browser that hides its tab asks every 10 s and may wait one round for what is new
UNREACHABLE_SECONDS = 2.0
FIRST_SECONDS = 1.5


class Key(NamedTuple):
    """What makes one picture of the system differ from another."""

    period: Period
    area: int | None


@dataclass(frozen=True, slots=True)
class Seen:
    """The latest of one view.

    `age_seconds`: since the snapshot came; `silent_seconds`: since the API last answered; `problem`: what it said instead.
    `refused`: it did answer, but with an error.
    """

    snapshot: Snapshot | None
    age_seconds: float
    silent_seconds: float
    problem: str | None
    refused: bool = False

    @property
    def unreachable(self) -> bool:
        """The API has been silent for too long to call its snapshot the present."""
        return self.silent_seconds > UNREACHABLE_SECONDS


@dataclass(slots=True)
class _Watched:
    """One view that somebody has open. Times are of the monotonic clock."""

    wanted_at: float
    began_at: float
    answered_at: float | None = None
    came_at: float | None = None
    snapshot: Snapshot | None = None
    problem: str | None = None
    refused: bool = False
    first: asyncio.Event = field(default_factory=asyncio.Event)

    def seen(self, now: float) -> Seen:
        came = now if self.came_at is None else self.came_at
        since = self.began_at if self.answered_at is None else self.answered_at
        return Seen(self.snapshot, now - came, now - since, self.problem, self.refused)


class Poller:
    """Use `run` as one task; `latest` from any number of callbacks on the same loop."""

    def __init__(self, client: Client, *, clock: Callable[[], float] = monotonic) -> None:
        self._client = client
        self._clock = clock
        self._watched: dict[Key, _Watched] = {}
        self._wanted = asyncio.Event()
        self.asked = 0
        self.failed = 0

    @property
    def views(self) -> int:
        """How many views somebody has open."""
        return len(self._watched)

    async def latest(self, key: Key) -> Seen:
        """The newest of a view. The first who asks for it waits a moment for its first snapshot."""
        watched = self._watched.get(key)
        if watched is None:
            now = self._clock()
            watched = self._watched[key] = _Watched(wanted_at=now, began_at=now)
            self._wanted.set()
        watched.wanted_at = self._clock()
        if watched.snapshot is None and watched.problem is None:
            with suppress(TimeoutError):
                await asyncio.wait_for(watched.first.wait(), FIRST_SECONDS)
        return watched.seen(self._clock())

    async def run(self) -> None:
        """Ask until cancelled: once a second for each view, at once for a new one."""
        while True:
            began = self._clock()
            self._wanted.clear()
            self._forget(began)
            await asyncio.gather(*(self._ask(key, watched) for key, watched in list(self._watched.items())))
            rest = EVERY_SECONDS - (self._clock() - began)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), max(rest, 0.05))

    def _forget(self, now: float) -> None:
        for key in [key for key, watched in self._watched.items() if now - watched.wanted_at > FORGET_SECONDS + 1]:
            del self._watched[key]

    async def _ask(self, key: Key, watched: _Watched) -> None:
        self.asked += 1
        before = watched.snapshot
        known: dict[str, int | str] = {"after": before.seq, "boot": before.boot} if before else {}
        try:
            newer = await self._client.newer("/snapshot", Snapshot, {**known, "period": key.period, "area": key.area})
        except ApiError as error:
            self.failed += 1
            if watched.problem is None:
                log.warning("snapshot_failed", period=key.period, area=key.area, title=error.title)
            watched.problem, watched.refused = error.detail, isinstance(error, ApiRefused)
        else:
            watched.answered_at, watched.problem = self._clock(), None
            if newer is not None:
                watched.snapshot, watched.came_at = newer, watched.answered_at
        watched.first.set()
