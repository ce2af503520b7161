"""What every process tells of itself as metrics: its build, its start, its memory, and how late its event loop is."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from importlib.metadata import version

from prometheus_client import CollectorRegistry, Gauge, ProcessCollector

LOOK_SECONDS = 0.5
REMEMBERED = 30  # looks: the worst of 15 s, so that a scrape meets every hitch


def register_process(registry: CollectorRegistry) -> None:
    """Build and process; `process_start_time_seconds` is among them."""
    build = Gauge("tripcast_build_info", "The version of tripcast that runs.", ["version"], registry=registry)
    build.labels(version("tripcast")).set(1)
    ProcessCollector(registry=registry)


@asynccontextmanager
async def watched_loop(registry: CollectorRegistry) -> AsyncIterator[None]:
    """Measure the event loop while the block runs."""
    late = LoopLag()
    tell_loop_lag(registry, late)
    watching = asyncio.create_task(late.watch())
    try:
        yield
    finally:
        watching.cancel()
        with suppress(asyncio.CancelledError):
            await watching


def tell_loop_lag(registry: CollectorRegistry, late: "LoopLag") -> None:
    """Let a registry tell the worst of the last looks."""
    gauge = Gauge("tripcast_event_loop_lag_seconds", "How late the event loop was at worst lately.", registry=registry)
    gauge.set_function(late.worst)


class LoopLag:
    """Sleeps again and again, and notes by how much too long."""

    def __init__(self, clock: Callable[[], float] | None = None) -> None:
        self._clock = clock
        self._late: deque[float] = deque(maxlen=REMEMBERED)

    def worst(self) -> float:
        """Seconds."""
        return max(self._late, default=0.0)

    async def watch(self) -> None:
        """Run until cancelled."""
        clock = self._clock or asyncio.get_running_loop().time
        while True:
            due = clock() + LOOK_SECONDS
            await asyncio.sleep(LOOK_SECONDS)
            self._late.append(max(0.0, clock() - due))
