"""A primary that dies and its standby that takes over, under one address: real replication, real promotion."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from adapters.environment.settings import PostgresSettings
from adapters.postgres.admin.audit import audit
from adapters.postgres.connection.pool import open_pool
from adapters.postgres.stream.store import Streams
from cli.embedded.ports import HOST
from domain.entities.streams import StreamSource
from domain.errors import DatabaseUnreachable, Fenced
from tests.batches import Refusals, Start, batch_of
from tests.chaos.standby import Pair, running_pair
from tests.running import until

DEADLINE_SECONDS = 15.0  # what promise 6 allows


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    with running_pair(tmp_path) as pair:
        yield pair


async def test_after_a_failover_writing_goes_on_and_nothing_is_there_twice(pair: Pair) -> None:
    pool = await open_pool(PostgresSettings(database=pair.address, database_connect_seconds=2.0))
    store = Streams(pool)
    source_id = await store.register(StreamSource("cluster", "trip-events", uuid.UUID(int=1)))
    await store.open_partition(source_id, 0, 0)
    first, second = batch_of([Start("a"), Start("b")], {0: 0}), batch_of([Start("c")], {0: 2})
    await store.write(source_id, first, Refusals())
    await pair.fail_over()

    async def written() -> bool:
        try:
            await store.write(source_id, second, Refusals())
        except DatabaseUnreachable:
            return False
        return True

    await until(written, DEADLINE_SECONDS)
    for again in (first, second):  # as a worker would that never heard of its commit
        with pytest.raises(Fenced):
            await store.write(source_id, again, Refusals())
    assert [row["trip_id"] for row in await pool.fetch("select trip_id from predictions order by 1")] == ["a", "b", "c"]
    assert (await audit(pool)).ok
    await pool.close()


@pytest.fixture
async def silent() -> AsyncIterator[int]:
    """The port of a machine that takes connections and never says a word."""

    async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    async with await asyncio.start_server(keep_silent, HOST, 0) as server:
        yield server.sockets[0].getsockname()[1]


async def test_a_silent_first_host_costs_its_own_deadline_once_and_not_the_others(database: str, silent: int) -> None:
    address = database.replace("@", f"@{HOST}:{silent},")
    pool = await open_pool(PostgresSettings(database=address, database_connect_seconds=0.5, database_pool=2))
    loop = asyncio.get_running_loop()
    started = loop.time()
    async with pool.acquire() as one, pool.acquire() as other:
        assert await one.fetchval("select 1") == await other.fetchval("select 1") == 1
    assert loop.time() - started < 0.5  # the host that answered is asked first from then on
    await pool.close()


async def test_hosts_that_are_all_silent_are_an_outage(silent: int) -> None:
    address = f"postgresql://u@{HOST}:{silent},{HOST}:{silent}/d"
    with pytest.raises(DatabaseUnreachable, match="no answer within the deadline"):
        await open_pool(PostgresSettings(database=address, database_connect_seconds=0.2))
