"""`tripcast prune`: whole months go, nobody waits, every offset stays accounted for, and a crash at any step is made good."""

import asyncio
import json
import os
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import cast

import asyncpg
import pytest

from adapters.environment.settings import PostgresSettings
from adapters.postgres.admin import pruning
from adapters.postgres.admin.audit import audit
from adapters.postgres.admin.old_rows import DEAD_LETTERS, SERVED, delete_older
from adapters.postgres.admin.pruning import months, prune_month, refuse_unread
from adapters.postgres.connection.pool import Connection, Pool, open_pool
from adapters.postgres.stream.store import Streams
from adapters.postgres.tables.lifecycle import lifecycle_events
from cli.embedded.postgres import WORKER, EmbeddedPostgres
from domain.entities.streams import StreamSource
from domain.errors import InvalidInput
from tests.batches import End, Event, Nothing, Poison, Refusals, Start, batch_of
from tests.chaos.checker import PLACES

MARCH, APRIL = date(2016, 3, 1), date(2016, 4, 1)
DAY = 24 * 60  # minutes
LATER = 40 * DAY  # of April
EVENTS: list[Event] = [
    Start("a"),
    End("a"),
    Start("b"),
    Poison(),
    Start("c", minute=LATER),
    Start("d"),
    Start("d"),
    Nothing(),
    End("early"),
    End("c", minute=LATER),
]


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Partition 0 with the offsets 0 to 9, of March and April 2016, all published."""
    pool = await open_pool(PostgresSettings(database=database))
    store = Streams(pool)
    source_id = await store.register(StreamSource("cluster", "trip-events", uuid.uuid4()))
    await store.open_partition(source_id, 0, 0)
    await store.write(source_id, batch_of(EVENTS), Refusals())
    await store.mark_published(source_id, {0: 10})
    yield pool
    await pool.close()


async def _skipped(pool: Pool) -> list[tuple[int, int]]:
    rows = await pool.fetch("select first_offset, last_offset from skipped_records where reason = 'pruned' order by 1")
    return [tuple(row) for row in rows]


async def test_a_month_goes_with_all_its_rows_and_its_offsets_stay_accounted_for(pool: Pool) -> None:
    async with pool.acquire() as connection:
        assert await prune_month(connection, MARCH, "somebody") == 3
        assert [month.first for month in await months(connection)] == [APRIL]
    assert await _skipped(pool) == [(0, 2), (5, 5), (8, 8)]
    report = await audit(pool)
    assert report.ok
    assert (report.partitions[0].rows, report.partitions[0].skipped["pruned"]) == (2, 5)
    places = [row["record_offset"] for row in await pool.fetch(PLACES)]
    assert sorted(places) == list(range(10))
    assert [row[0] for row in await pool.fetch("select trip_id from predictions")] == ["c"]
    [event] = await lifecycle_events(pool, "history.pruned")
    assert (event.subject, event.actor, event.details) == ("2016-03", "somebody", {"trips": 3})


async def test_dead_letters_go_by_age_and_ranges_that_touch_become_one(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await prune_month(connection, MARCH, "somebody")
        assert await delete_older(connection, DEAD_LETTERS, datetime.now(UTC) - timedelta(days=1)) == 0
        assert await delete_older(connection, DEAD_LETTERS, datetime.now(UTC) + timedelta(days=1)) == 1
    assert await _skipped(pool) == [(0, 3), (5, 5), (8, 8)]
    assert (await audit(pool)).ok


async def test_other_rows_go_in_chunks(pool: Pool) -> None:
    await pool.execute(
        """insert into served_predictions
        select gen_random_uuid(), 'api', 1, 1, now(), 40, -74, 40, -74, 1, 1, 1, 1, 's', null, now() - n * interval '1 day'
        from generate_series(1, 25) as n"""
    )
    async with pool.acquire() as connection:
        assert await delete_older(connection, SERVED, datetime.now(UTC) - timedelta(days=5.5), chunk=7) == 20
    assert await pool.fetchval("select count(*) from served_predictions") == 5


class _Died(Exception):
    pass


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
async def test_a_prune_that_dies_between_its_steps_is_made_good_by_the_next(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, steps: int
) -> None:
    """After each table that is taken out, and within the transaction that drops them; an audit adds up at each point."""
    take_out, done = pruning._take_out, 0

    async def dying(connection: Connection, parent: str, first: date) -> None:
        nonlocal done
        await take_out(connection, parent, first)
        done += 1
        if done == steps:
            raise _Died

    async def dies(*_: object) -> None:
        raise _Died

    with monkeypatch.context() as patched:
        patched.setattr(pruning, "_take_out", dying)
        patched.setattr(pruning, "insert_lifecycle_event", dies)
        async with pool.acquire() as connection:
            with pytest.raises(_Died):
                await prune_month(connection, MARCH, "somebody")
    assert (await audit(pool)).ok
    async with pool.acquire() as connection:
        assert [(month.first, month.taken_out) for month in await months(connection)] == [(MARCH, True), (APRIL, False)]
        assert await prune_month(connection, MARCH, "somebody") == 3
    assert (await audit(pool)).ok
    assert await _skipped(pool) == [(0, 2), (5, 5), (8, 8)]


@pytest.mark.parametrize("late", [False, True])
async def test_a_backend_that_is_killed_while_it_waits_for_a_reader_leaves_a_month_that_the_next_prune_or_event_mends(
    database: str, pool: Pool, *, late: bool
) -> None:
    async with pool.acquire() as reader:
        reading = reader.transaction(isolation="repeatable_read")
        await reading.start()
        await reader.fetch("select from trips")
        killed = await asyncpg.connect(database)
        pruned = asyncio.create_task(prune_month(cast("Connection", killed), MARCH, "somebody"))
        await _until(pool, "select count(*) > 0 from pg_inherits where inhdetachpending")
        await _a_worker_goes_on(pool, minute=LATER + 1, first=10)
        await pool.execute("select pg_terminate_backend($1)", killed.get_server_pid())
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await pruned
        assert (await audit(pool)).ok
        await reading.rollback()
    if late:
        await _a_worker_goes_on(pool, minute=5, first=12)  # puts the month back
        assert await pool.fetchval("select count(*) from trips where pickup_at < '2016-04-01Z'") == 4
    async with pool.acquire() as connection:
        assert await prune_month(connection, MARCH, "somebody") == (4 if late else 3)
    assert (await audit(pool)).ok


async def test_readers_of_before_and_writers_of_other_months_do_not_wait_and_a_late_event_finds_its_month(pool: Pool) -> None:
    async with pool.acquire() as reader:
        reading = reader.transaction(isolation="repeatable_read")
        await reading.start()
        assert len(await reader.fetch("select from trips")) == 4

        async def prune() -> int:
            async with pool.acquire() as connection:
                return await prune_month(connection, MARCH, "somebody")

        pruned = asyncio.create_task(prune())
        await _until(pool, "select count(*) > 0 from pg_inherits where inhdetachpending")
        await _a_worker_goes_on(pool, minute=LATER + 1, first=10)
        assert len(await reader.fetch("select from trips")) == 4  # what it saw before it sees still
        late = asyncio.create_task(_a_worker_goes_on(pool, minute=5, first=12))
        await reading.rollback()
    assert await pruned == 3
    await late
    assert (await audit(pool)).ok
    assert [row[0] for row in await pool.fetch("select trip_id from trips order by record_offset")] == ["c", "e10", "e12"]


async def test_what_is_not_published_or_not_seen_by_the_monitor_stays(pool: Pool) -> None:
    async with pool.acquire() as connection:
        await refuse_unread(connection, MARCH)
        await connection.execute("insert into monitor_positions select source_id, partition, 5 from stream_offsets")
        with pytest.raises(InvalidInput, match="2016-03 are not all published and taken in by the Monitor"):
            await refuse_unread(connection, MARCH)
        await connection.execute("update monitor_positions set next_offset = 6")
        await refuse_unread(connection, MARCH)
        await connection.execute("update stream_offsets set published_offset = 5")
        with pytest.raises(InvalidInput, match="let a worker run first"):
            await refuse_unread(connection, MARCH)


async def test_only_the_owner_prunes(pool: Pool, postgres_server: EmbeddedPostgres, database: str) -> None:
    worker = await asyncpg.connect(postgres_server.address(WORKER, database.rpartition("/")[2]))
    with pytest.raises(InvalidInput, match="only the owner"):
        await prune_month(cast("Connection", worker), MARCH, "somebody")
    await worker.close()
    assert (await audit(pool)).ok


async def test_the_command_says_what_goes_asks_and_lets_it_go(pool: Pool, database: str) -> None:
    def prune(*options: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "TRIPCAST_DATABASE": database}
        command = [sys.executable, "-m", "cli", "prune", *options]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=60)

    closed = "insert into open_tallies (source_id, body, closed_until) select source_id, '', '2016-12-01Z' from event_sources"
    await pool.execute(closed)
    refused = await asyncio.to_thread(prune, "--yes")
    assert refused.returncode == 3
    assert "--before" in refused.stderr
    before = ("--before", "2016-04-01", "--refused-older-than", "30d")
    looked = await asyncio.to_thread(prune, *before, "--dry-run", "--json")
    assert [month["month"] for month in json.loads(looked.stdout)["months"]] == ["2016-03"]
    unasked = await asyncio.to_thread(prune, *before)
    assert unasked.returncode == 3
    assert "--yes" in unasked.stderr
    assert await pool.fetchval("select count(*) from trips") == 4
    done = await asyncio.to_thread(prune, *before, "--yes", "--json")
    assert json.loads(done.stdout)["gone"]["trips"] == 3
    assert (await audit(pool)).ok
    assert "Nothing is that old" in (await asyncio.to_thread(prune, *before, "--yes")).stdout


async def _a_worker_goes_on(pool: Pool, minute: int, first: int) -> None:
    source_id = await pool.fetchval("select source_id from event_sources")
    events: list[Event] = [Start(f"e{first}", minute=minute), End(f"e{first}", minute=minute)]
    async with asyncio.timeout(10):
        await Streams(pool).write(source_id, batch_of(events, {0: first}), Refusals())


async def _until(pool: Pool, query: str) -> None:
    async with asyncio.timeout(10):
        while not await pool.fetchval(query):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0.01)
