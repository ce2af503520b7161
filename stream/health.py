"""Health that tells the truth: alive means that partitions with lag move, ready means that nothing it needs is missing."""

import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from domain.errors import PortInUse
from stream.metrics import Metrics

STALL_SECONDS = 30.0
LOOPBACK = "127.0.0.1"


@dataclass(slots=True)
class Progress:
    """Per partition, since when it has had lag without moving. Waiting for something outside is no stall: see `Readiness`."""

    clock: Callable[[], float] = time.monotonic
    _stuck_since: dict[int, tuple[int, float]] = field(default_factory=dict)

    def note(self, lag: Mapping[int, int], next_offsets: Mapping[int, int], *, waiting: bool) -> None:
        """Take in how far each partition is and how many events wait behind it."""
        now = self.clock()
        before, self._stuck_since = self._stuck_since, {}
        for partition, events in lag.items():
            if events <= 0 or waiting:
                continue
            offset = next_offsets.get(partition, -1)
            known = before.get(partition)
            self._stuck_since[partition] = known if known is not None and known[0] == offset else (offset, now)

    def stalled(self) -> list[int]:
        """Partitions whose offset has not changed for half a minute though events wait."""
        now = self.clock()
        return sorted(number for number, (_, since) in self._stuck_since.items() if now - since > STALL_SECONDS)


@dataclass(slots=True)
class Readiness:
    """What the worker cannot do without, and in words what is wrong with each that is missing."""

    missing: dict[str, str] = field(
        default_factory=lambda: {"database": "starting", "broker": "starting", "champion": "starting"}
    )

    def up(self, what: str) -> None:
        """It answers."""
        self.missing.pop(what, None)

    def down(self, what: str, why: str) -> None:
        """It does not."""
        self.missing[what] = why


@dataclass(frozen=True, slots=True)
class Health:
    """`/livez`, `/readyz` and `/metrics` on one port of the loopback address or another that the settings name."""

    progress: Progress
    readiness: Readiness
    metrics: Metrics

    async def livez(self, _request: web.Request) -> web.Response:
        """503 when a partition with lag stands still for 30 s though nothing is missing; no answer when the loop hangs."""
        stalled = self.progress.stalled()
        return web.json_response({"alive": not stalled, "stalled_partitions": stalled}, status=503 if stalled else 200)

    async def readyz(self, _request: web.Request) -> web.Response:
        """503 with reasons while the database, the broker or a champion is missing."""
        missing = self.readiness.missing
        return web.json_response({"ready": not missing, "missing": missing}, status=503 if missing else 200)

    async def exposition(self, _request: web.Request) -> web.Response:
        """Prometheus metrics."""
        return web.Response(
            body=self.metrics.exposition(), headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}
        )


@asynccontextmanager
async def serving(health: Health, port: int, host: str = LOOPBACK) -> AsyncIterator[None]:
    """Answer until the block ends. Raises PortInUse."""
    application = web.Application()
    application.add_routes(
        [web.get("/livez", health.livez), web.get("/readyz", health.readyz), web.get("/metrics", health.exposition)]
    )
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port, shutdown_timeout=1.0).start()
        except OSError as error:
            raise PortInUse(f"port {port} on {host} is taken: stop what holds it, or set TRIPCAST_WORKER_PORT") from error
        yield
    finally:
        await runner.cleanup()
