"""After a deployment: does every service take up the new version, and is it well with it for a while?"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

Look = Callable[[int], Awaitable[str | None]]  # the version that should serve -> what is wrong, or None
EVERY_SECONDS = 2.0
TOLERATED = 3  # bad looks in a row: one alone is a hiccup of the network


@dataclass(frozen=True, slots=True)
class WatchHealth:
    """Each service must be well with the version `within_seconds`, and stay so for `watch_seconds`."""

    looks: Sequence[Look]
    within_seconds: float
    watch_seconds: float
    clock: Callable[[], float] = time.monotonic
    wait: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def __call__(self, version: int) -> str | None:
        """What is wrong, or None. Ends after `within_seconds` + `watch_seconds`, give or take a look."""
        wrong = await self._taken_up(version)
        return wrong if wrong is not None else await self._stays_well(version)

    async def _taken_up(self, version: int) -> str | None:
        ends = self.clock() + self.within_seconds
        while (wrong := await self._look(version)) is not None:
            if self.clock() >= ends:
                return f"after {self.within_seconds:g} s {wrong}"
            await self.wait(EVERY_SECONDS)
        return None

    async def _stays_well(self, version: int) -> str | None:
        ends, bad = self.clock() + self.watch_seconds, 0
        while self.clock() < ends:
            await self.wait(EVERY_SECONDS)
            wrong = await self._look(version)
            bad = bad + 1 if wrong else 0
            if bad >= TOLERATED:
                return wrong
        return None

    async def _look(self, version: int) -> str | None:
        found = await asyncio.gather(*(look(version) for look in self.looks))
        return "; ".join(filter(None, found)) or None
