"""Promise 16: a full disk is an infrastructure error: the worker pauses and says so, nothing is quarantined or lost."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.chaos.conftest import verdict
from tests.chaos.journal import Journal
from tests.chaos.load import DRAIN_SECONDS, in_turn, send
from tests.chaos.progress import passes, readiness
from tests.chaos.report import Report
from tests.chaos.small_disk import SmallDisk, needs_namespaces, small_disk
from tests.running import Worker, World, until, world_of

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
LEFT_BYTES = 512 * 1024
FULL_SECONDS = 15
PROMISED_SECONDS = 15.0  # none is promised for a full disk: as for a failover
Small = Callable[..., SmallDisk]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Small]:
    """Makes a server; without an event loop, for its making needs one."""
    needs_namespaces()
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(small_disk(tmp_path, **options))


@pytest.fixture
def full_tables(small: Small) -> SmallDisk:
    return small(log_elsewhere=True)


@pytest.fixture
def full_log(small: Small) -> SmallDisk:
    return small(log_elsewhere=False)


@pytest.mark.promise(16)
async def test_tables_that_cannot_grow_are_waited_for(
    kafka_address: str, topic_prefix: str, tmp_path: Path, full_tables: SmallDisk, report: Report
) -> None:
    report.fault = "database on a 64 MB disk that fills up, its write-ahead log elsewhere; then space is freed"

    async def fill() -> None:
        full_tables.fill(LEFT_BYTES)

    world = await _tried((kafka_address, topic_prefix), tmp_path, full_tables, report, fill)
    assert "No space left on device" in world.started[-1].log.read_text()
    assert full_tables.server is not None
    assert full_tables.server.poll() is None


@pytest.mark.promise(16)
async def test_a_log_that_cannot_be_written_is_waited_for(
    kafka_address: str, topic_prefix: str, tmp_path: Path, full_log: SmallDisk, report: Report
) -> None:
    report.fault = "the same with the write-ahead log on that disk: PostgreSQL panics, and is started when there is space"

    async def fill() -> None:
        full_log.fill(0)
        await full_log.exhaust_log()

    await _tried((kafka_address, topic_prefix), tmp_path, full_log, report, fill)
    assert "PANIC" in full_log.log.read_text()


async def _tried(
    kafka: tuple[str, str], folder: Path, disk: SmallDisk, report: Report, fill: Callable[[], Awaitable[None]]
) -> World:
    """Fill the disk under load, look at the worker, free space, drain and judge."""
    journal, events = Journal(), in_turn(report.size(full=10_000, short=5_000), seed=16)
    address, prefix = kafka
    async with world_of(address, disk.address, prefix, folder) as world:
        worker = world.start_worker()
        sending = asyncio.create_task(send(address, f"{prefix}trip-events", events, journal, 700))
        await until(passes(world, 300))
        await fill()
        await until(lambda: readiness(worker, 503))
        await _stays_paused(worker, FULL_SECONDS)
        disk.free()
        disk.start()
        await until(disk.answers)
        await report.recovers(passes(world, await world.count("trips")), promised_s=PROMISED_SECONDS)
        await until(lambda: readiness(worker, 200))
        await sending
        await world.drained(DRAIN_SECONDS)
        report.judged(await verdict(world, journal), journal)
        assert await world.count("dead_letters") == 0
        assert worker.process.poll() is None
        assert worker.events("waiting")
    return world


async def _stays_paused(worker: Worker, seconds: int) -> None:
    """It says so all the time: ready it is not, alive it is."""
    for _ in range(seconds):
        status, document = await asyncio.to_thread(worker.health, "readyz")
        assert (status, "database" in document["missing"]) == (503, True), document
        assert (await asyncio.to_thread(worker.health, "livez"))[0] == 200
        assert await asyncio.to_thread(worker.metric, "tripcast_dependency_up", dependency="database") == 0
        await asyncio.sleep(1)  # the fault lasts
