"""What the worker's and the board's logins may do: the worker all that a StreamStore does, and nothing to the past."""

import uuid
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg
import pytest

from adapters.environment.settings import PostgresSettings
from adapters.postgres.connection import Pool, connected, open_pool
from adapters.postgres.migrate import check_schema
from adapters.postgres.quality import mature_error
from adapters.postgres.stream_store import Streams
from cli.embedded.postgres import BOARD, WORKER, EmbeddedPostgres
from domain.entities.models import LifecycleEvent
from domain.entities.streams import StreamSource
from tests.batches import End, Nothing, Poison, Refusals, Start, batch_of

HISTORY = ("trips", "predictions", "completions", "dead_letters", "skipped_records", "lifecycle_events")


def _as(user: str, postgres_server: EmbeddedPostgres, database: str) -> PostgresSettings:
    return PostgresSettings(database=postgres_server.address(user, database.rpartition("/")[2]))


@pytest.fixture
async def worker(postgres_server: EmbeddedPostgres, database: str) -> AsyncIterator[Pool]:
    pool = await open_pool(_as(WORKER, postgres_server, database))
    yield pool
    await pool.close()


@pytest.fixture
async def board(postgres_server: EmbeddedPostgres, database: str) -> AsyncIterator[Pool]:
    pool = await open_pool(_as(BOARD, postgres_server, database))
    yield pool
    await pool.close()


async def test_the_worker_does_all_its_work_in_its_own_role(worker: Pool) -> None:
    await check_schema(worker)
    store, refusals = Streams(worker), Refusals()
    source = StreamSource("cluster", "trip-events", uuid.uuid4())
    source_id = await store.register(source)
    assert await store.previous_source(source) is None
    await store.open_partition(source_id, 0, 0)
    await store.mark_suspect(source_id, 0, 0)
    await store.write(source_id, batch_of([Start("a"), Poison(), Nothing(), End("a"), End("b")]), refusals)
    receipt = await store.write(source_id, batch_of([Start("a"), End("a", lasted=9), Start("b")], {0: 5}), refusals)
    assert (receipt.repeats, receipt.dead_letters, receipt.settled) == (1, 1, 1)
    await store.mark_published(source_id, {0: 8})
    assert len((await store.unpublished(source_id, 0, 0, 10))[0].predictions) == 2
    assert (await store.positions(source_id, [0]))[0].published_offset == 8
    await store.record(LifecycleEvent("range_lost", "trip-events/0", "worker", "retention", datetime.now(UTC)))
    await mature_error(worker)


@pytest.mark.parametrize("table", HISTORY)
@pytest.mark.parametrize("statement", ["delete from {0}", "truncate {0}", "drop table {0}", "update {0} set {1} = {1}"])
async def test_the_worker_cannot_change_the_past(worker: Pool, table: str, statement: str) -> None:
    column = {"lifecycle_events": "reason", "skipped_records": "reason", "dead_letters": "reason"}.get(table, "trip_id")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with connected(worker) as connection:
            await connection.execute(statement.format(table, column))


@pytest.mark.parametrize("column", ["start_offset", "source_id", "partition"])
async def test_the_worker_cannot_rewrite_where_it_began(worker: Pool, column: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with connected(worker) as connection:
            await connection.execute(f"update stream_offsets set {column} = {column}")


@pytest.mark.parametrize("table", ["loaded_files", "rejected_rows", "training_runs", "alembic_version"])
async def test_the_worker_has_no_business_with_other_tables(worker: Pool, table: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with connected(worker) as connection:
            await connection.execute(f"insert into {table} default values")


async def test_the_board_reads_and_sees_no_payloads(board: Pool) -> None:
    async with connected(board) as connection:
        for table in ("trips", "predictions", "completions", "stream_offsets", "lifecycle_events", "training_runs"):
            await connection.fetch(f"select * from {table}")
        await connection.fetch("select reason, count(*) from dead_letters group by reason")
        for query in (
            "select value from dead_letters",
            "select header_values from dead_letters",
            "select * from rejected_rows",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(query)


async def test_the_board_writes_nothing(board: Pool) -> None:
    async with connected(board) as connection:
        for table in (*HISTORY, "stream_offsets", "event_sources"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"insert into {table} default values")
