"""`/livez`, `/readyz` and `/metrics` on one port, for processes that serve nothing else."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web

from domain.errors import PortInUse

TEXT = {"Content-Type": "text/plain; version=0.0.4; charset=utf-8"}

CLOSING_SECONDS = 1.0

Verdict = tuple[bool, Mapping[str, object]]  # whether all is well, and the answer's body


@dataclass(frozen=True, slots=True)
class Health:
    """What is answered; each is quick and does no I/O. An event loop that hangs shows as no answer."""

    alive: Callable[[], Verdict]
    ready: Callable[[], Verdict]
    metrics: Callable[[], bytes]

    async def livez(self, _request: web.Request) -> web.Response:
        """503 when nothing moves that should."""
        return _answer(self.alive())

    async def readyz(self, _request: web.Request) -> web.Response:
        """503 with reasons while something is missing."""
        return _answer(self.ready())

    async def exposition(self, _request: web.Request) -> web.Response:
        """Prometheus metrics."""
        return web.Response(body=self.metrics(), headers=TEXT)


@asynccontextmanager
async def serving(health: Health, port: int, host: str, setting: str) -> AsyncIterator[None]:
    """Answer until the block ends. Raises PortInUse, naming the `setting` that chooses the port."""
    application = web.Application()
    routes = (("/livez", health.livez), ("/readyz", health.readyz), ("/metrics", health.exposition))
    application.add_routes([web.get(path, handler) for path, handler in routes])
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=CLOSING_SECONDS)
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise PortInUse(f"port {port} on {host} is taken: stop what holds it, or set {setting}") from error
        yield
    finally:
        await runner.cleanup()


def _answer(verdict: Verdict) -> web.Response:
    well, body = verdict
    return web.json_response(dict(body), status=200 if well else 503)
