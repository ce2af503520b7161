"""Promise 4: a database outage quarantines nothing; the worker waits, its memory bounded, and goes on when it is back."""

import asyncio
from pathlib import Path

import pytest

from tests.chaos.conftest import verdict
from tests.chaos.journal import Journal
from tests.chaos.load import DRAIN_SECONDS, in_turn, send
from tests.chaos.memory import memory_of
from tests.chaos.own_parts import own_postgres
from tests.chaos.progress import lag_of, passes, readiness
from tests.chaos.report import Report
from tests.running import Worker, until, world_of

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]
BOUND_MIB = 150  # three batches of 8,000 events and their rows in hand, and what their making leaves to the allocator
RATE = 1_000.0


@pytest.mark.promise(4, short=True)
async def test_a_database_that_is_killed_is_waited_for(
    kafka_address: str, topic_prefix: str, tmp_path: Path, report: Report
) -> None:
    outage, journal = report.size(full=60, short=6), Journal()
    report.fault = f"PostgreSQL killed under load, away for {outage} s"
    events = in_turn(report.size(full=45_000, short=6_000), seed=5)
    async with own_postgres(tmp_path) as database, world_of(kafka_address, database.address, topic_prefix, tmp_path) as world:
        worker = world.start_worker()
        await until(lambda: readiness(worker, 200))
        sending = asyncio.create_task(send(world.kafka, f"{world.prefix}trip-events", events, journal, RATE))
        await until(passes(world, 500))
        async with memory_of(worker.process.pid) as memory:
            await database.kill()
            await until(lambda: readiness(worker, 503))
            await asyncio.sleep(outage)  # the outage is the fault
            lag = await lag_of(worker)
        assert worker.process.poll() is None
        await database.start()
        stored = await world.count("trips")
        await report.recovers(passes(world, stored), promised_s=10)
        await sending
        await world.drained(DRAIN_SECONDS)
        report.measured |= {"lag_events": lag, **memory.told()}
        report.judged(await verdict(world, journal), journal)
        assert await world.count("dead_letters") == 0
        assert worker.process.poll() is None
        assert lag > RATE * outage / 4
        assert memory.growth_mib < BOUND_MIB
        await until(lambda: _no_lag(worker))


async def _no_lag(worker: Worker) -> bool:
    return await lag_of(worker) == 0
