"""What only a real database can get wrong: half-written batches, races between workers, many rows."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import Any

import asyncpg
import numpy as np
import pytest

from adapters.environment.settings import PostgresSettings
from adapters.postgres.admin.audit import audit
from adapters.postgres.connection.pool import Pool, open_pool
from adapters.postgres.history.trips import FIND_STORED
from adapters.postgres.stream.batch_writer import FIND_ODD, STORED_COMPLETIONS, STORED_TRIPS
from adapters.postgres.stream.store import Streams
from adapters.postgres.tables.look_ups import BY_KEY
from adapters.postgres.tables.months import bounds_of
from domain.entities.rejections import DeadLetter
from domain.entities.streams import BatchReceipt, Contradiction, StreamSource
from domain.entities.trips import times_of
from domain.errors import DatabaseUnreachable, Fenced
from tests.batches import End, Event, Poison, Refusals, Start, batch_of
from tests.stored import stored_in_postgres


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    pool = await open_pool(PostgresSettings(database=database, database_pool=4, database_command_seconds=5))
    yield pool
    await pool.close()


async def _opened(pool: Pool, *partitions: int) -> tuple[Streams, int]:
    store = Streams(pool)
    source_id = await store.register(StreamSource("cluster", "trip-events", uuid.UUID(int=1)))
    for partition in partitions:
        await store.open_partition(source_id, partition, 0)
    return store, source_id


async def test_a_batch_that_fails_at_its_last_statement_leaves_nothing(pool: Pool) -> None:
    store, source_id = await _opened(pool, 0)
    before = await stored_in_postgres(pool)
    await pool.execute("alter table stream_offsets add constraint stands check (next_offset = 0)")
    with pytest.raises(asyncpg.CheckViolationError, match="stands"):
        await store.write(source_id, batch_of([Start("a"), Poison(), End("a"), End("a")], {0: 0}), Refusals())
    assert await stored_in_postgres(pool) == before
    assert await pool.fetchval("select count(*) from predictions") == 0


async def test_a_connection_lost_in_the_middle_leaves_nothing_and_the_batch_can_be_written_again(pool: Pool) -> None:
    store, source_id = await _opened(pool, 0)
    await store.write(source_id, batch_of([Start("a")]), Refusals())
    refusals = Refusals()

    async def refuse_while_the_server_restarts(contradictions: Sequence[Contradiction]) -> Sequence[DeadLetter]:
        await pool.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and state = 'idle in transaction'"
        )
        return await refusals(contradictions)

    batch = batch_of([Start("b"), Start("a", minute=1), End("b")], {0: 1})
    with pytest.raises(DatabaseUnreachable):
        await store.write(source_id, batch, refuse_while_the_server_restarts)
    assert (await stored_in_postgres(pool)).trips == {"a": (0, 0)}
    receipt = await store.write(source_id, batch, refusals)
    assert (receipt.settled, receipt.dead_letters) == (1, 1)
    assert (await audit(pool)).ok


async def test_of_two_workers_with_the_same_batch_one_is_fenced(pool: Pool) -> None:
    store, source_id = await _opened(pool, 0, 1)
    batch = batch_of([Start("a"), Start("b", partition=1)], {0: 0, 1: 0})
    results = await asyncio.gather(*(store.write(source_id, batch, Refusals()) for _ in range(4)), return_exceptions=True)
    assert sorted(type(result).__name__ for result in results) == ["BatchReceipt"] + [Fenced.__name__] * 3
    assert (await audit(pool)).ok


async def test_a_worker_that_is_still_writing_is_waited_for_and_then_fences_the_other(pool: Pool) -> None:
    store, source_id = await _opened(pool, 0)
    await store.write(source_id, batch_of([Start("a")]), Refusals())
    others: list[asyncio.Task[BatchReceipt]] = []

    async def refuse_while_another_writes(contradictions: Sequence[Contradiction]) -> Sequence[DeadLetter]:
        others.append(asyncio.create_task(store.write(source_id, batch_of([Start("c")], {0: 1}), Refusals())))
        await _someone_waits_for_a_lock(pool)
        return await Refusals()(contradictions)

    await store.write(source_id, batch_of([Start("b"), Start("a", minute=1)], {0: 1}), refuse_while_another_writes)
    with pytest.raises(Fenced):
        await others[0]
    assert (await stored_in_postgres(pool)).trips.keys() == {"a", "b"}


async def test_a_trip_that_another_worker_stores_in_between_is_a_repeat(pool: Pool) -> None:
    """As after a change of the number of partitions, when a trip's events are in two of them."""
    store, source_id = await _opened(pool, 0, 1)
    await store.write(source_id, batch_of([Start("a")]), Refusals())
    refusals = Refusals()

    async def refuse_while_another_writes(contradictions: Sequence[Contradiction]) -> Sequence[DeadLetter]:
        if not refusals.asked:
            await store.write(source_id, batch_of([Start("b", partition=1), End("b", partition=1)]), Refusals())
        return await refusals(contradictions)

    batch = batch_of([Start("b"), Start("a", minute=1), End("b"), Start("c")], {0: 1})
    receipt = await store.write(source_id, batch, refuse_while_another_writes)
    assert (receipt.stored.tolist(), receipt.repeats, receipt.dead_letters) == ([False, False, True], 2, 1)
    stored = await stored_in_postgres(pool)
    assert (stored.trips, stored.completions) == ({"a": (0, 0), "b": (1, 0), "c": (0, 4)}, {"b": (1, 1)})
    assert (await audit(pool)).ok


async def _someone_waits_for_a_lock(pool: Pool) -> None:
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    async with asyncio.timeout(10):
        while not await pool.fetchval(waiting):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0)


async def test_a_large_batch_with_ids_of_all_lengths_is_stored_as_it_is(pool: Pool) -> None:
    store, source_id = await _opened(pool, 0)
    starts: list[Event] = [Start(f"{number:x}" + "é" * (number % 31), minute=number) for number in range(5000)]
    ends: list[Event] = [End(start.trip_id, minute=start.minute) for start in starts if isinstance(start, Start)]
    batch = batch_of([*starts, *ends])
    receipt = await store.write(source_id, batch, Refusals())
    assert (int(receipt.stored.sum()), receipt.settled) == (5000, 5000)
    rows = await pool.fetch("select * from trips join predictions using (trip_id) order by trips.record_offset")
    assert [row["trip_id"] for row in rows] == batch.started.trip_id.tolist()
    assert [row["pickup_latitude"] for row in rows] == batch.started.pickup_latitude.tolist()
    assert (
        np.array([row["upper_seconds"] for row in rows], dtype=np.float32).tobytes()
        == batch.predictions.upper_seconds.tobytes()
    )
    assert [row["pickup_at"].replace(tzinfo=None) for row in rows] == batch.started.pickup_at.tolist()


@pytest.mark.parametrize("rows", [0, 1, 100_000])
@pytest.mark.parametrize("trips", [1, 5000])
async def test_each_trip_is_looked_up_by_its_key_whatever_the_planner_knows(pool: Pool, rows: int, trips: int) -> None:
    """Joined the other way round, a batch costs as much as the whole table, or that times its own length."""
    now = datetime.now(UTC)
    since, until = bounds_of(times_of([now]))
    await pool.execute("select ensure_history_month($1)", since.date())
    await pool.execute("insert into trips select 'x' || n, 1, 1, now(), 0, 0, 0, 0 from generate_series(1, $1) as n", rows)
    await pool.execute("insert into completions select 'x' || n, now(), now() from generate_series(1, $1) as n", rows)
    ids, at = [f"t{number}" for number in range(trips)], [0] * trips
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(BY_KEY)
        plans = [
            await connection.fetchval(f"explain (format json) {FIND_ODD}", ids, ids, at, ids, at, since, until),
            await connection.fetchval(f"explain (format json) {STORED_TRIPS}", ids, since, until),
            await connection.fetchval(f"explain (format json) {STORED_COMPLETIONS}", ids, at, since, until),
            await connection.fetchval(f"explain (format json) {FIND_STORED}", ids, at, since, until),
        ]
    scans = [node for plan in plans for node in _scans(json.loads(plan)[0]["Plan"])]
    assert len(scans) == 4 + 1 + 2 + 2
    assert {node["Relation Name"] for node in scans if "Index Cond" not in node and "Recheck Cond" not in node} == set()


def _scans(node: dict[str, Any]) -> list[dict[str, Any]]:
    below = [scan for child in node.get("Plans", []) for scan in _scans(child)]
    return [node, *below] if "Relation Name" in node else below
