"""Panels: what was read last, read anew when it is time, once for all who look, and kept when reading fails."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable
from datetime import UTC, datetime, timedelta
from typing import Any, Generic, TypeVar

import structlog

from api.reads.asking import Asking
from domain.errors import DatabaseUnreachable, RegistryUnreachable, Unreachable
from schemas.http.snapshot import Panel

log = structlog.get_logger("tripcast.api.panels")

QUICK_SECONDS = 0.25  # who looks waits for a reading that took no longer last time; of others the last one is shown meanwhile
SHARE_OF_TIME = 10  # a panel that takes long is read less often: of any stretch of time it takes this part at most
FORGOTTEN_SECONDS = 30.0  # then what nobody looked at is dropped
LATE_SECONDS = 3.0  # what was read that short a time ago is no news, but no trouble either
LATE = "The database is slow; what was read before is shown."
Data = TypeVar("Data")


class Cached(Generic[Data]):
    """One panel. `load` reads it; `every`: seconds between two readings at least."""

    def __init__(
        self,
        name: str,
        load: Callable[[], Awaitable[Data]],
        every: float,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.data: Data | None = None
        self.error: str | None = None
        self.as_of: datetime | None = None
        self.version = 0
        self._name, self._load, self._every, self._clock, self._now = name, load, every, clock, now
        self._asking = Asking(self._read)
        self._due, self._took = 0.0, 0.0

    async def fresh(self, seconds: float) -> "Cached[Data]":
        """Read it when it is time; after `seconds` it stays as it was, and takes the answer in when that comes."""
        if self._clock() >= self._due:
            self._asking.forget()  # what came late has been taken in
            patience = seconds if self.as_of is None or self._took <= QUICK_SECONDS else 0.0
            try:
                await self._asking(patience)
            except TimeoutError:
                if self._is_old():
                    self.error = LATE
        return self

    def _is_old(self) -> bool:
        """Older than what takes so long to read may be."""
        usual = max(self._every, SHARE_OF_TIME * self._took) + self._took + LATE_SECONDS
        return self.as_of is None or self._now() - self.as_of > timedelta(seconds=usual)

    def panel(self, error: str | None = None) -> Panel[Data]:
        """As it is now; `error`: of a part, where the whole has none."""
        return Panel(version=self.version, as_of=self.as_of, data=self.data, error=self.error or error)

    def retry(self) -> None:
        """What kept it from being read is over."""
        if self.error is not None:
            self._due = 0.0

    async def stop(self) -> None:
        """Give up a reading that is under way."""
        await self._asking.stop()

    async def _read(self) -> None:
        began, as_of = self._clock(), self._now()
        try:
            data = await self._load()
        except Exception as error:  # noqa: BLE001 - one panel that fails must not take the others with it
            self._failed(error)
            self._due = self._clock() + max(self._every, self._clock() - began)
        else:
            self._take(data, as_of)
            self._took = self._clock() - began
            self._due = began + max(self._every, SHARE_OF_TIME * self._took)

    def _take(self, data: Data, as_of: datetime) -> None:
        self.as_of, self.error = as_of, None
        if self.data is None or data != self.data:
            self.data, self.version = data, self.version + 1

    def _failed(self, error: Exception) -> None:
        self.error = in_words(error)
        if not isinstance(error, Unreachable):
            log.error("panel_failed", panel=self._name, exc_info=error)


def in_words(error: Exception) -> str:
    """What went wrong, for a person who cannot see the log."""
    if isinstance(error, DatabaseUnreachable | TimeoutError):
        return "The database does not answer; what was read before is shown."
    if isinstance(error, RegistryUnreachable):
        return "The model registry does not answer; what was read before is shown."
    if isinstance(error, Unreachable):
        return "What this is read from does not answer."
    return "This could not be read; the API's log says why."


class Shelf:
    """All panels by their name and arguments, so that two views that need the same share it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._panels: dict[tuple[Hashable, ...], tuple[Cached[Any], float]] = {}

    def get(self, key: tuple[Hashable, ...], load: Callable[[], Awaitable[Data]], every: float) -> "Cached[Data]":
        """The panel of this key, made when it is not there."""
        known = self._panels.get(key)
        cached: Cached[Data] = known[0] if known else Cached(" ".join(map(str, key)), load, every, self._clock)
        self._panels[key] = cached, self._clock()
        return cached

    def __len__(self) -> int:
        """How many there are."""
        return len(self._panels)

    def retry(self) -> None:
        """The database answers again: what failed is read with the next look."""
        for cached, _ in self._panels.values():
            cached.retry()

    async def sweep(self) -> None:
        """Drop what nobody looked at for a while."""
        now = self._clock()
        old = [key for key, (_, used) in self._panels.items() if now - used > FORGOTTEN_SECONDS]
        await asyncio.gather(*(self._panels.pop(key)[0].stop() for key in old))

    async def stop(self) -> None:
        """Drop all."""
        panels, self._panels = list(self._panels.values()), {}
        await asyncio.gather(*(cached.stop() for cached, _ in panels))
