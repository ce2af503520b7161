"""Promise 7: a network that swallows everything is bounded: answers within 2 s, recovery within 10 s, no restart."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from cli.embedded.ports import free_ports
from tests.api_process import ApiProcess, api_process
from tests.chaos.conftest import verdict
from tests.chaos.journal import Journal
from tests.chaos.load import DRAIN_SECONDS, in_turn, send
from tests.chaos.own_parts import by_way_of, port_of
from tests.chaos.progress import passes, readiness
from tests.chaos.report import Report
from tests.proxy import Proxy
from tests.running import Worker, World, until, world_of
from tests.serving import TRIP

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]
ANSWER_SECONDS, RECOVERY_SECONDS = 2.0, 10.0
COMMAND_SECONDS = "5"  # of the worker: what a half-open connection costs, for nobody tells of it
KEPT = ("/quality", "/drift", "/models", "/trips/summary", "/stats/database", "/system", "/dead-letters", "/snapshot")
ASKED = ("/trips/none", "/history", "/dead-letters/1", "/drift/none")  # of these nothing is kept


@dataclass(slots=True)
class Asked:
    """What was answered while the network was silent: path, status, seconds."""

    answers: list[tuple[str, int, float]] = field(default_factory=list)

    def slowest(self) -> tuple[str, int, float]:
        return max(self.answers, key=lambda answer: answer[2])

    def statuses(self, *paths: str) -> set[int]:
        return {status for path, status, _ in self.answers if path in paths}


@dataclass(slots=True)
class Reached:
    """A worker and an API whose way to the database is a proxy; `direct` goes past it."""

    proxy: Proxy
    direct: World
    worker: Worker
    api: ApiProcess
    journal: Journal
    sending: "asyncio.Task[None]"

    async def recovered(self, report: Report, rows: int, *, promised_s: float = RECOVERY_SECONDS) -> None:
        """From now on: rows, both ready, and a reading route that asks the database."""

        async def all_well() -> bool:
            well = await passes(self.direct, rows)(), await readiness(self.worker, 200)
            return all(well) and (await self.api.get("/readyz"))[0] == 200 and (await self.api.get("/trips/none"))[0] == 404

        await report.recovers(all_well, promised_s=promised_s)
        assert self.worker.process.poll() is None
        assert self.api.process.poll() is None

    async def judged(self, report: Report) -> None:
        """After the last fault."""
        await self.sending
        await self.direct.drained(DRAIN_SECONDS)
        report.judged(await verdict(self.direct, self.journal), self.journal)
        assert await self.direct.count("dead_letters") == 0


@asynccontextmanager
async def reached(kafka: str, database: str, prefix: str, folder: Path, count: int, **settings: str) -> AsyncIterator[Reached]:
    """Everything runs, with `count` trips on their way at 500 events/s. `settings` are the worker's."""
    proxy, journal = Proxy(free_ports(1)[0], port_of(database)), Journal()
    await proxy.heal()
    way = by_way_of(proxy.port, database)
    async with world_of(kafka, database, prefix, folder) as world, api_process(database, folder, way) as api:
        worker = world.start_worker(TRIPCAST_DATABASE=way, **settings)
        sending = asyncio.create_task(send(kafka, f"{prefix}trip-events", in_turn(count, seed=7), journal, 500))
        try:
            await until(passes(world, 200))
            yield Reached(proxy, world, worker, api, journal, sending)
        finally:
            sending.cancel()
            await proxy.cut()


@pytest.mark.promise(7)
async def test_a_black_hole_before_the_database_is_answered_in_time(
    kafka_address: str, database: str, topic_prefix: str, tmp_path: Path, report: Report
) -> None:
    seconds = report.size(full=60, short=8)
    report.fault = f"everything to and from the database swallowed for {seconds} s"
    async with reached(kafka_address, database, topic_prefix, tmp_path, report.size(full=22_000, short=5_000)) as system:
        await _warmed(system.api)
        await system.proxy.swallow()
        asked = await _asked(system.api, seconds)
        rows = await system.direct.count("trips")
        await system.proxy.heal()
        await system.recovered(report, rows)
        path, status, slowest = asked.slowest()
        report.measured |= {"answers": len(asked.answers), "slowest_s": round(slowest, 2), "slowest": f"{path} {status}"}
        await system.judged(report)
    assert asked.statuses(*ASKED) == {503}
    assert asked.statuses(*KEPT) <= {200, 204, 503}
    assert asked.statuses("/predict") == {200}
    if report.full:
        assert slowest <= ANSWER_SECONDS, f"{path} answered {status} after {slowest:.1f} s"


@pytest.mark.promise(7)
async def test_half_open_connections_and_a_slow_network_are_survived(
    kafka_address: str, database: str, topic_prefix: str, tmp_path: Path, report: Report
) -> None:
    report.fault = f"connections to the database half-open (statements end after {COMMAND_SECONDS} s), then 0.2 s late each way"
    settings = {"TRIPCAST_DATABASE_COMMAND_SECONDS": COMMAND_SECONDS}
    trips = report.size(full=8_000, short=5_000)
    async with reached(kafka_address, database, topic_prefix, tmp_path, trips, **settings) as system:
        await system.proxy.abandon()
        await system.recovered(report, await system.direct.count("trips"))
        await system.proxy.slow(0.2)
        await _rows_come(system, report.size(full=3, short=1))
        await system.proxy.heal()
        await system.recovered(report, await system.direct.count("trips"))
        await system.judged(report)


async def _rows_come(system: Reached, times: int) -> None:
    """Slowly, but they do."""
    for _ in range(times):
        await until(passes(system.direct, await system.direct.count("trips")))


async def _warmed(api: ApiProcess) -> None:
    """Each route has answered once."""
    for path in (*KEPT, *ASKED):
        status, _ = await api.get(path)
        assert status in {200, 204, 404}, f"{path}: {status}"


async def _asked(api: ApiProcess, seconds: float) -> Asked:
    """Every route again and again, each by a caller of its own; what is not 2xx is a problem with Retry-After."""
    asked, until_at = Asked(), time.monotonic() + seconds
    async with httpx.AsyncClient(base_url=api.address, timeout=30) as client:

        async def ask(path: str, send: Callable[[], Awaitable[httpx.Response]]) -> None:
            while time.monotonic() < until_at:
                began = time.monotonic()
                answer = await send()
                asked.answers.append((path, answer.status_code, time.monotonic() - began))
                if answer.status_code == 503:
                    assert answer.headers["content-type"] == "application/problem+json"
                    assert int(answer.headers["retry-after"]) > 0
                await asyncio.sleep(0.1)

        reading = [ask(path, lambda path=path: client.get(path)) for path in (*KEPT, *ASKED)]  # type: ignore[misc]
        await asyncio.gather(*reading, ask("/predict", lambda: client.post("/predict", json=TRIP)))
    return asked
