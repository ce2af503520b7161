"""Promise 14: overload is refused, not absorbed: memory flat, accepted calls in their budget, the rest told when to come."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import numpy as np
import pytest

from tests.api_process import ApiProcess, api_process
from tests.chaos.conftest import verdict
from tests.chaos.journal import Journal
from tests.chaos.load import AT_ONCE, in_turn, send
from tests.chaos.memory import Memory, memory_of
from tests.chaos.progress import lag_of, readiness
from tests.chaos.report import Report
from tests.running import Worker, until, world_of
from tests.serving import TRIP

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]
ACCEPTED_A_MINUTE = 1_800
TIMES = 10
BUDGET_SECONDS = 5.0  # TRIPCAST_API_DEADLINE_SECONDS
AT_ONCE_AT_MOST = 8
BATCH_TRIPS = 200
FLAT_MIB, FLAT_MIB_PER_MINUTE = 60.0, 20.0
WORKER_BATCH = 100  # so that the worker is slow, and a producer can be ten times as fast
WORKER_FLAT_MIB = 100.0


@dataclass(slots=True)
class Asked:
    """What was answered, and how long the accepted calls took, seconds."""

    statuses: Counter[int] = field(default_factory=Counter)
    accepted: list[float] = field(default_factory=list)

    def take(self, answer: aiohttp.ClientResponse, seconds: float) -> None:
        """Refusals are problems that say when to come again."""
        self.statuses[answer.status] += 1
        if answer.status == 200:
            self.accepted.append(seconds)
            return
        assert answer.status in {429, 503}
        assert answer.headers["content-type"] == "application/problem+json"
        assert int(answer.headers["retry-after"]) > 0

    def told(self, memory: Memory) -> dict[str, object]:
        """For the report."""
        p99 = round(float(np.quantile(self.accepted, 0.99)), 3)
        return {"answers": dict(self.statuses), "accepted_p99_s": p99, **memory.told()}


@pytest.mark.promise(14)
async def test_ten_times_the_accepted_rate_is_refused_with_a_time(database: str, tmp_path: Path, report: Report) -> None:
    seconds = report.size(full=60, short=5)
    report.fault = f"{TIMES} times the accepted {ACCEPTED_A_MINUTE} requests/min for {seconds} s"
    async with api_process(database, tmp_path, TRIPCAST_API_RATE=str(ACCEPTED_A_MINUTE)) as api:
        await _at_a_rate(api, 2, ACCEPTED_A_MINUTE / 60)
        async with memory_of(api.process.pid) as memory:
            asked = await _at_a_rate(api, seconds, TIMES * ACCEPTED_A_MINUTE / 60)
        assert api.process.poll() is None
    report.measured |= asked.told(memory)
    assert asked.statuses[429] > asked.statuses[200] > 0
    _judge(asked, memory, report)


@pytest.mark.promise(14)
async def test_ten_times_what_can_be_answered_at_once_is_refused(database: str, tmp_path: Path, report: Report) -> None:
    seconds = report.size(full=60, short=5)
    report.fault = (
        f"{TIMES * AT_ONCE_AT_MOST} callers with {BATCH_TRIPS:,} trips each for {seconds} s, {AT_ONCE_AT_MOST} allowed"
    )
    settings = {"TRIPCAST_API_CONCURRENCY": str(AT_ONCE_AT_MOST), "TRIPCAST_API_RATE": "10000000"}
    async with api_process(database, tmp_path, **settings) as api:
        await _batches(api, 3, AT_ONCE_AT_MOST)
        async with memory_of(api.process.pid) as memory:
            asked = await _batches(api, seconds, TIMES * AT_ONCE_AT_MOST)
        assert (await api.get("/livez"))[0] == 200
    report.measured |= asked.told(memory)
    assert asked.statuses[503] > 0 < asked.statuses[200]
    _judge(asked, memory, report)


@pytest.mark.promise(14)
async def test_a_producer_ten_times_as_fast_as_the_worker_waits_in_kafka_alone(
    kafka_address: str, database: str, topic_prefix: str, tmp_path: Path, report: Report
) -> None:
    journal, events = Journal(), in_turn(report.size(full=40_000, short=5_000), seed=14)
    report.fault = f"{len(events):,} events at once to a worker held to batches of {WORKER_BATCH}"
    async with world_of(kafka_address, database, topic_prefix, tmp_path) as world:
        worker = world.start_worker(TRIPCAST_WORKER_BATCH=str(WORKER_BATCH))
        await until(lambda: readiness(worker, 200))
        async with memory_of(worker.process.pid) as memory:
            await send(world.kafka, f"{topic_prefix}trip-events", events, journal, AT_ONCE)
            await until(lambda: _lags(worker))
            lag = await lag_of(worker)
            await world.drained(180)
        report.measured |= {"lag_events": lag, **memory.told()}
        report.judged(await verdict(world, journal), journal)
        assert memory.growth_mib < WORKER_FLAT_MIB


async def _lags(worker: Worker) -> bool:
    return await lag_of(worker) > 0


def _judge(asked: Asked, memory: Memory, report: Report) -> None:
    assert memory.growth_mib < FLAT_MIB, memory.told()
    if report.full:
        assert np.quantile(asked.accepted, 0.99) <= BUDGET_SECONDS
        assert memory.slope_mib_per_minute() < FLAT_MIB_PER_MINUTE, memory.told()


@asynccontextmanager
async def _client() -> AsyncIterator[aiohttp.ClientSession]:
    """Without a limit of its own, and quick: httpx would be what is measured."""
    connector, timeout = aiohttp.TCPConnector(limit=0), aiohttp.ClientTimeout(30)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as client:
        yield client


async def _ask(client: aiohttp.ClientSession, address: str, body: bytes, asked: Asked) -> None:
    began = time.monotonic()
    async with client.post(address, data=body, headers={"content-type": "application/json"}) as answer:
        await answer.read()
        asked.take(answer, time.monotonic() - began)


async def _at_a_rate(api: ApiProcess, seconds: float, a_second: float) -> Asked:
    """Single predictions at a steady pace, whether they are answered or not."""
    asked, body, first = Asked(), json.dumps(TRIP).encode(), time.monotonic()
    async with _client() as client, asyncio.TaskGroup() as group:
        for number in range(int(seconds * a_second)):
            group.create_task(_ask(client, f"{api.address}/predict", body, asked))
            await asyncio.sleep(first + number / a_second - time.monotonic())
    return asked


async def _batches(api: ApiProcess, seconds: float, callers: int) -> Asked:
    """Batches from so many callers, each asking again 50 ms after its answer."""
    asked, ends = Asked(), time.monotonic() + seconds
    body = json.dumps({"trips": [TRIP] * BATCH_TRIPS}).encode()
    async with _client() as client:

        async def ask() -> None:
            while time.monotonic() < ends:
                await _ask(client, f"{api.address}/predict/batch", body, asked)
                await asyncio.sleep(0.05)

        await asyncio.gather(*(ask() for _ in range(callers)))
    return asked
