"""Promise 8: a broker that is killed and comes back on the same data is gone on with, by workers and producers."""

import asyncio
import signal
from pathlib import Path

import pytest

from tests.chaos.conftest import verdict
from tests.chaos.journal import Journal
from tests.chaos.load import DRAIN_SECONDS, in_turn, send
from tests.chaos.own_parts import own_kafka, own_postgres
from tests.chaos.progress import passes
from tests.chaos.report import Report
from tests.running import until, world_of

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
PROMISED_SECONDS = 30.0


@pytest.mark.promise(8)
async def test_a_broker_that_is_killed_is_waited_for_by_workers_and_producers(
    database: str, tmp_path: Path, report: Report
) -> None:
    outage, journal = report.size(full=30, short=5), Journal()
    report.fault = f"the broker killed under load, away for {outage} s"
    events = in_turn(report.size(full=20_000, short=5_000), seed=8)
    async with own_kafka(tmp_path) as broker, world_of(broker.address, database, "broker-", tmp_path) as world:
        worker = world.start_worker()
        sending = asyncio.create_task(send(world.kafka, "broker-trip-events", events, journal, 1_000))
        await until(passes(world, 500))
        await broker.kill()
        await asyncio.sleep(outage)  # the outage is the fault
        assert worker.process.poll() is None
        await broker.start()
        stored = await world.count("trips")
        await report.recovers(passes(world, stored), promised_s=PROMISED_SECONDS)
        await sending
        await world.drained(DRAIN_SECONDS)
        report.judged(await verdict(world, journal), journal)
        assert len(journal.sent) >= len(events)
        assert worker.process.poll() is None


@pytest.mark.promise(8, short=True)
async def test_a_restart_of_everything_finds_everything(tmp_path: Path, report: Report) -> None:
    report.fault, journal = "broker, database and worker killed together under load, and started again", Journal()
    events = in_turn(report.size(full=15_000, short=5_000), seed=6)
    async with (
        own_postgres(tmp_path) as database,
        own_kafka(tmp_path) as broker,
        world_of(broker.address, database.address, "all-", tmp_path) as world,
    ):
        worker = world.start_worker()
        sending = asyncio.create_task(send(world.kafka, "all-trip-events", events, journal, 2_000))
        await until(passes(world, 0))
        worker.signal(signal.SIGKILL)
        await asyncio.gather(database.kill(), broker.kill())
        await asyncio.gather(broker.start(), database.start())
        world.start_worker()
        stored = await world.count("trips")
        await report.recovers(passes(world, stored), promised_s=PROMISED_SECONDS)
        await sending
        await world.drained(DRAIN_SECONDS)
        report.judged(await verdict(world, journal), journal)
