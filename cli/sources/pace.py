"""Event time that passes at a chosen speed, and waiting that a signal can end."""

import asyncio
import math
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

import numpy as np

from domain.entities.trips import SECOND

TICK_SECONDS = 0.05  # events due within one tick are published together


class Waiting(Protocol):
    """Wall time, and waiting for it."""

    @property
    def stopped(self) -> bool:
        """Whether someone asked to stop."""
        ...

    def seconds(self) -> float:
        """Monotonic seconds."""
        ...

    async def wait(self, seconds: float) -> None:
        """Return after that time, or at once when someone asks to stop."""
        ...


class UntilSignal:
    """Real time, until SIGTERM or Ctrl-C."""

    def __init__(self) -> None:
        self._stop = asyncio.Event()

    @property
    def stopped(self) -> bool:
        """See Waiting."""
        return self._stop.is_set()

    def seconds(self) -> float:
        """See Waiting."""
        return time.monotonic()

    async def wait(self, seconds: float) -> None:
        """See Waiting."""
        try:
            async with asyncio.timeout(seconds):
                await self._stop.wait()
        except TimeoutError:
            return

    async def asked(self) -> None:
        """Return when someone asks to stop."""
        await self._stop.wait()

    def stop(self) -> None:
        """Ask to stop."""
        self._stop.set()


@asynccontextmanager
async def until_signal() -> AsyncIterator[UntilSignal]:
    """Turn SIGTERM and SIGINT into a request to stop, for as long as the context lasts; a second signal acts as usual."""
    loop, waiting = asyncio.get_running_loop(), UntilSignal()
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop() -> None:
        waiting.stop()
        for number in signals:
            loop.remove_signal_handler(number)

    for number in signals:
        loop.add_signal_handler(number, stop)
    try:
        yield waiting
    finally:
        for number in signals:
            loop.remove_signal_handler(number)


class EventClock:
    """Event time, from `start` on, `speed` times as fast as the wall; at infinite speed everything is due at once."""

    def __init__(self, start: np.datetime64, speed: float, waiting: Waiting) -> None:
        self._start, self._speed, self._waiting = start, speed, waiting
        self._began = waiting.seconds()

    def now(self) -> np.datetime64 | None:
        """The event time that it is; None for the end of time."""
        if math.isinf(self._speed):
            return None
        passed = (self._waiting.seconds() - self._began) * self._speed
        return self._start + np.timedelta64(int(passed * 1_000_000), "us")

    async def reach(self, moment: np.datetime64) -> None:
        """Wait until it is that event time, a tick at least, or until someone asks to stop."""
        now = self.now()
        if now is not None:
            missing = float((moment - now) / SECOND) / self._speed
            await self._waiting.wait(max(missing, TICK_SECONDS))
