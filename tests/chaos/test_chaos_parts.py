"""Faults of the systems around the worker: an outage is waited out, and a restart of everything finds everything."""

import asyncio
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.postgres.migrate import migrate
from cli.embedded.bootstrap import embedded_kafka, embedded_postgres
from cli.embedded.ports import free_ports
from cli.embedded.postgres import OWNER, EmbeddedPostgres
from cli.embedded.secrets import Secrets
from tests.chaos.conftest import verdict
from tests.chaos.journal import Journal
from tests.chaos.load import DRAIN_SECONDS, in_turn, send
from tests.chaos.servers import Server
from tests.running import World, until, world_of

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]
OUTAGE_SECONDS = 20.0


@pytest.fixture
def postgres(tmp_path: Path) -> EmbeddedPostgres:
    return embedded_postgres(tmp_path / "pg", tmp_path / "pg.log", free_ports(1)[0], Secrets(tmp_path / "secrets.env"))


@pytest.fixture
def database_server(postgres: EmbeddedPostgres) -> Iterator[Server]:
    server = Server(postgres)
    migrate(postgres.address(OWNER, OWNER))
    yield server
    server.stop()


async def test_a_database_outage_quarantines_nothing_and_is_waited_out(
    kafka_address: str, topic_prefix: str, tmp_path: Path, postgres: EmbeddedPostgres, database_server: Server
) -> None:
    journal = Journal()
    async with world_of(kafka_address, postgres.address(OWNER, OWNER), topic_prefix, tmp_path) as world:
        worker = world.start_worker()
        events = in_turn(20_000, seed=5)
        sending = asyncio.create_task(send(world.kafka, f"{world.prefix}trip-events", events, journal, 1_200))
        await until(lambda: _has_rows(world))
        await asyncio.to_thread(database_server.kill)
        await until(lambda: _ready(world, 503))
        await asyncio.sleep(OUTAGE_SECONDS)  # the outage is the fault
        assert worker.process.poll() is None
        assert worker.health("livez")[0] in {200, 503}
        await asyncio.to_thread(database_server.start)
        await until(lambda: _ready(world, 200))
        await sending
        await world.drained(DRAIN_SECONDS)
        assert await verdict(world, journal) == []
        assert await world.count("dead_letters") == 0
        assert worker.process.poll() is None


async def test_a_restart_of_everything_finds_everything(
    tmp_path: Path, postgres: EmbeddedPostgres, database_server: Server
) -> None:
    ports = free_ports(2)
    kafka = embedded_kafka(tmp_path / "kafka", tmp_path / "kafka.log", *ports)
    broker = await asyncio.to_thread(Server, kafka)
    journal = Journal()
    try:
        async with world_of(kafka.address, postgres.address(OWNER, OWNER), "all-", tmp_path) as world:
            worker = world.start_worker()
            events = in_turn(5_000, seed=6)
            sending = asyncio.create_task(send(world.kafka, "all-trip-events", events, journal, 2_000))
            await until(lambda: _has_rows(world))
            worker.signal(signal.SIGKILL)
            await asyncio.to_thread(database_server.kill)
            await asyncio.to_thread(broker.kill)
            await asyncio.to_thread(broker.start)
            await asyncio.to_thread(database_server.start)
            world.start_worker()
            await sending
            await world.drained(DRAIN_SECONDS)
            assert await verdict(world, journal) == []
    finally:
        await asyncio.to_thread(broker.stop)


async def _has_rows(world: World) -> bool:
    return await world.count("trips") > 0


async def _ready(world: World, status: int) -> bool:
    return (await asyncio.to_thread(world.started[-1].health, "readyz"))[0] == status
