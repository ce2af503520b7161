"""Promise 4: a database outage quarantines nothing; the worker waits, its memory bounded, and goes on when it is back."""

import asyncio
from pathlib import Path

import pytest

from tests.chaos.conftest import verdict
from tests.chaos.load import in_turn
from tests.chaos.memory import memory_of
from tests.chaos.progress import lag_of, passes, readiness
from tests.chaos.report import Report
from tests.chaos.under_load import under_load
from tests.running import Worker, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]
BOUND_MIB = 150  # three batches of 8,000 events and their rows in hand, and what their making leaves to the allocator
RATE = 1_000.0


@pytest.mark.promise(4, short=True)
async def test_a_database_that_is_killed_is_waited_for(
    kafka_address: str, topic_prefix: str, tmp_path: Path, report: Report
) -> None:
    outage = report.size(full=60, short=6)
    report.fault = f"PostgreSQL killed under load, away for {outage} s"
    events = in_turn(report.size(full=45_000, short=6_000), seed=5)
    async with under_load(kafka_address, topic_prefix, tmp_path, events, rate=RATE, rows=500) as running:
        worker, world = running.worker, running.world
        async with memory_of(worker.process.pid) as memory:
            await running.database.kill()
            await until(lambda: readiness(worker, 503))
            await asyncio.sleep(outage)  # the outage is the fault
            lag = await lag_of(worker)
        assert worker.process.poll() is None
        await running.database.start()
        stored = await world.count("trips")
        await report.recovers(passes(world, stored), promised_s=10)
        await running.drained()
        report.measured |= {"lag_events": lag, **memory.told()}
        report.judged(await verdict(world, running.journal), running.journal)
        assert await world.count("dead_letters") == 0
        assert worker.process.poll() is None
        assert lag > RATE * outage / 4
        assert memory.growth_mib < BOUND_MIB
        await until(lambda: _no_lag(worker))


async def _no_lag(worker: Worker) -> bool:
    return await lag_of(worker) == 0
