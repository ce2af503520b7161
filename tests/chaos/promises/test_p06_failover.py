"""Promise 6: a crashed backend and a failed-over database are followed by the worker that runs, within 15 seconds."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import asyncpg
import pytest

from cli.embedded.ports import free_ports
from cli.embedded.postgres import OWNER
from tests.chaos.conftest import verdict
from tests.chaos.journal import Journal
from tests.chaos.load import DRAIN_SECONDS, in_turn, send
from tests.chaos.own_parts import by_way_of
from tests.chaos.progress import passes, readiness
from tests.chaos.report import Report
from tests.chaos.standby import Pair, running_pair
from tests.chaos.under_load import under_load
from tests.proxy import Proxy
from tests.running import World, until, world_of

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
PROMISED_SECONDS = 15.0
KILLED = "was terminated by signal 9"
SESSIONS = "select pid from pg_stat_activity where application_name = 'tripcast-worker' and pid <> pg_backend_pid() order by 1"


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with running_pair(tmp_path) as pair:
        yield pair


@pytest.mark.promise(6)
async def test_a_backend_that_is_killed_costs_no_row_and_no_restart(
    kafka_address: str, topic_prefix: str, tmp_path: Path, report: Report
) -> None:
    times = report.size(full=3, short=1)
    report.fault = f"SIGKILL to a session of the worker, {times} times: PostgreSQL ends all others and recovers"
    events = in_turn(report.size(full=12_000, short=4_000), seed=61)
    async with under_load(kafka_address, topic_prefix, tmp_path, events, rate=800, rows=200) as running:
        world = running.world
        for already in range(times):
            os.kill(await _session(world), signal.SIGKILL)
            await until(
                partial(_says, tmp_path / "postgres.log", "was terminated by signal 9", already)
            )  # until then it takes connections
            await until(lambda: _answers(running.database.admin))
            await report.recovers(passes(world, await world.count("trips")), promised_s=PROMISED_SECONDS)
        await running.drained()
        report.judged(await verdict(world, running.journal), running.journal)
        assert running.worker.process.poll() is None
        assert await world.count("dead_letters") == 0


@pytest.mark.promise(6)
async def test_a_promoted_standby_is_followed_though_the_old_primary_answers(
    kafka_address: str, topic_prefix: str, tmp_path: Path, pair: Pair, report: Report
) -> None:
    report.fault, journal = "a standby promoted behind the address, the old primary left running read-only", Journal()
    events = in_turn(report.size(full=12_000, short=4_000), seed=62)
    async with _one_address(pair) as proxy:
        address = by_way_of(proxy.port, pair.primary.address(OWNER, OWNER))
        async with world_of(kafka_address, address, topic_prefix, tmp_path) as world:
            worker = world.start_worker()
            sending = asyncio.create_task(send(world.kafka, f"{world.prefix}trip-events", events, journal, 800))
            await until(passes(world, 200))
            await pair.switch_over(until(partial(_says, worker.log, "read-only transaction")))
            await until(lambda: readiness(worker, 503))
            proxy.target = pair.standby.port
            await report.recovers(passes(world, await world.count("trips")), promised_s=PROMISED_SECONDS)
            await until(lambda: readiness(worker, 200))
            await sending
            await world.drained(DRAIN_SECONDS)
            report.judged(await verdict(world, journal), journal)
            assert worker.process.poll() is None
            assert await world.count("dead_letters") == 0


@asynccontextmanager
async def _one_address(pair: Pair) -> AsyncIterator[Proxy]:
    proxy = Proxy(free_ports(1)[0], pair.primary.port)
    await proxy.heal()
    try:
        yield proxy
    finally:
        await proxy.cut()


async def _session(world: World) -> int:
    """The server's process behind one of the worker's connections."""

    async def some() -> bool:
        return bool(await world.rows(SESSIONS))

    await until(some)
    return int((await world.rows(SESSIONS))[0]["pid"])


async def _says(log: Path, words: str, already: int = 0) -> bool:
    """Whether a log has these words once more."""
    return (await asyncio.to_thread(log.read_text)).count(words) > already


async def _answers(admin: str) -> bool:
    """The server takes connections again."""
    try:
        connection = await asyncpg.connect(admin, timeout=5)
    except (OSError, asyncpg.PostgresError):
        return False
    await connection.close()
    return True
