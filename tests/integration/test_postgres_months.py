"""Months of history: they come when they are needed, once, within bounds, and only the asked ones are looked at."""

import asyncio
import json
import sys
import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from adapters.postgres.connection.pool import Pool
from adapters.postgres.history.trips import FIND_STORED
from adapters.postgres.stream.batch_writer import FIND_ODD, STORED_COMPLETIONS, STORED_TRIPS
from adapters.postgres.stream.scored_history import SCORED
from adapters.postgres.stream.store import Streams
from adapters.postgres.tables.look_ups import BY_KEY
from adapters.postgres.tables.months import Months, bounds_of
from cli.embedded.postgres import API, BOARD, WORKER, EmbeddedPostgres
from domain.entities.streams import StreamSource
from domain.entities.trips import times_of
from domain.errors import InvalidInput
from tests.batches import End, Refusals, Start, batch_of
from tests.stored import stored_in_postgres

PROCESSES = 6
DAY = 24 * 60  # minutes
ENSURE = """
import asyncio, asyncpg, datetime
async def main():
    connection = await asyncpg.connect({address!r})
    for month in range(1, 13):
        await connection.execute("select ensure_history_month($1)", datetime.date(2015, month, 1))
asyncio.run(main())
"""
PARTITIONS = """
select count(*) from pg_inherits where inhparent = any('{trips, completions, predictions}'::text[]::regclass[])
"""


async def _opened(pool: Pool) -> tuple[Streams, int]:
    store = Streams(pool)
    source_id = await store.register(StreamSource("cluster", "trip-events", uuid.uuid4()))
    await store.open_partition(source_id, 0, 0)
    return store, source_id


async def test_processes_that_need_the_same_months_at_once_get_them_once(database: str, pool: Pool) -> None:
    program = ENSURE.format(address=database)
    started = [await asyncio.create_subprocess_exec(sys.executable, "-c", program) for _ in range(PROCESSES)]
    assert [await process.wait() for process in started] == [0] * PROCESSES
    assert await pool.fetchval(PARTITIONS) == 3 * 12


async def test_a_month_comes_while_others_write_and_read(pool: Pool) -> None:
    await Months(pool).ensure(times_of([datetime(2016, 3, 1, tzinfo=UTC)]))
    async with pool.acquire() as writer, writer.transaction():
        await writer.execute("insert into completions values ('a', '2016-03-05Z', '2016-03-06Z')")
        await writer.fetch("select from trips")
        async with asyncio.timeout(5):
            await Months(pool).ensure(times_of([datetime(2016, 4, 1, tzinfo=UTC)]))
    assert await pool.fetchval(PARTITIONS) == 3 * 2


@pytest.mark.parametrize("month", [date(1969, 12, 1), date(2016, 3, 2), date(9999, 1, 1), None])
async def test_no_feed_can_ask_for_months_that_no_trip_can_have(pool: Pool, month: date | None) -> None:
    with pytest.raises(asyncpg.InvalidParameterValueError):
        await pool.execute("select ensure_history_month($1)", month)
    with pytest.raises(InvalidInput, match="no trip can have a pickup in"):
        await Months(pool).ensure(times_of([datetime.now(UTC) + timedelta(days=70)]))


async def test_the_worker_may_ask_for_a_month_and_make_no_table(postgres_server: EmbeddedPostgres, database: str) -> None:
    name = database.rpartition("/")[2]
    worker = await asyncpg.connect(postgres_server.address(WORKER, name))
    await worker.execute("select ensure_history_month('2016-03-01')")
    for refused in (
        "select create_history_month('2016-04-01')",
        "create table mine (n int)",
        "create table trips_2016_05 partition of trips for values from ('2016-05-01Z') to ('2016-06-01Z')",
        "drop table trips_2016_03",
        "truncate trips_2016_03",
        "alter table trips detach partition trips_2016_03",
        "insert into trips_2016_03 default values",
        "delete from trips_2016_03",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await worker.execute(refused)
    await worker.close()


@pytest.mark.parametrize("user", [BOARD, API])
async def test_who_only_reads_may_ask_for_no_month(postgres_server: EmbeddedPostgres, database: str, user: str) -> None:
    reader = await asyncpg.connect(postgres_server.address(user, database.rpartition("/")[2]))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await reader.execute("select ensure_history_month('2016-03-01')")
    await reader.fetch("select * from history_being_pruned()")
    await reader.close()


async def test_whoever_puts_objects_before_ours_changes_nothing_for_the_owner(
    postgres_server: EmbeddedPostgres, database: str
) -> None:
    worker = await asyncpg.connect(postgres_server.address(WORKER, database.rpartition("/")[2]))
    await worker.execute("create temporary table trips (pickup_at timestamptz) partition by range (pickup_at)")
    await worker.execute("select ensure_history_month('2016-03-01')")
    where = "select relnamespace::regnamespace::text from pg_class where relname = 'trips_2016_03'"
    assert await worker.fetchval(where) == "public"
    await worker.close()


async def test_a_batch_looks_at_its_own_months_alone(pool: Pool) -> None:
    months = [datetime(2015, month, 1, tzinfo=UTC) for month in range(1, 13)]
    await Months(pool).ensure(times_of(months))
    since, until = bounds_of(times_of([datetime(2015, 5, 7, tzinfo=UTC)]))
    ids, pickups = ["a", "b"], [0, 0]
    queries: list[tuple[str, tuple[Any, ...]]] = [
        (FIND_ODD, (ids, ids, pickups, ids, pickups, since, until)),
        (STORED_TRIPS, (ids, since, until)),
        (STORED_COMPLETIONS, (ids, pickups, since, until)),
        (FIND_STORED, (ids, pickups, since, until)),
        (SCORED, (ids, pickups, since, until)),
    ]
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(BY_KEY)
        for query, arguments in queries:
            for _ in range(7):  # a plan for all parameters would be made from the sixth time on
                await connection.fetch(query, *arguments)
            plan = json.loads(await connection.fetchval(f"explain (format json) {query}", *arguments))
            assert {name[-8:] for name in _found(plan[0]["Plan"], "Relation Name")} == {"_2015_05"}


@pytest.mark.parametrize("analyzed", [False, True])
async def test_each_look_up_goes_by_the_index_that_names_the_trip_whether_the_planner_knows_the_month_or_not(
    pool: Pool, *, analyzed: bool
) -> None:
    store, source_id = await _opened(pool)
    await store.write(
        source_id, batch_of([event for name in range(500) for event in (Start(f"{name}"), End(f"{name}"))]), Refusals()
    )
    since, until = bounds_of(times_of([datetime(2016, 3, 7, tzinfo=UTC)]))
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("analyze trips, completions" if analyzed else BY_KEY)
        await connection.execute(BY_KEY)
        plan = json.loads(
            await connection.fetchval(f"explain (format json) {FIND_ODD}", ["a"], ["a"], [0], ["a"], [0], since, until)
        )
    by_id, by_key = "trips_2016_03_hashtextextended_pickup_at_idx", "completions_2016_03_pkey"
    assert sorted(_found(plan[0]["Plan"], "Index Name")) == [by_key, "completions_2016_03_trip_id_pickup_at_idx", by_id, by_id]
    assert all(" = " in condition for condition in _found(plan[0]["Plan"], "Index Cond"))


async def test_an_id_comes_again_in_a_far_month_as_another_trip_and_in_a_near_one_as_a_contradiction(pool: Pool) -> None:
    store, source_id = await _opened(pool)
    refusals = Refusals()
    await store.write(source_id, batch_of([Start("a"), End("a")]), refusals)
    far = 100 * DAY
    receipt = await store.write(source_id, batch_of([Start("a", minute=far), End("a", minute=far)], {0: 2}), refusals)
    assert (receipt.stored.tolist(), receipt.ended.tolist(), receipt.settled, refusals.asked) == ([True], [True], 1, [])
    await store.write(source_id, batch_of([Start("a", minute=DAY)], {0: 4}), refusals)
    await store.write(source_id, batch_of([End("a", minute=far + 1)], {0: 5}), refusals)
    assert [one.offset for one in refusals.asked] == [4, 5]
    receipt = await store.write(source_id, batch_of([Start("a", minute=far)], {0: 6}), refusals)
    assert receipt.repeats == 1


async def test_a_contradiction_across_the_border_of_a_month_is_seen(pool: Pool) -> None:
    store, source_id = await _opened(pool)
    refusals = Refusals()
    border = 30 * DAY + 7 * 60  # from noon of the first of March to midnight before April
    await store.write(source_id, batch_of([Start("a", minute=border - 1)]), refusals)
    await store.write(source_id, batch_of([End("a", minute=border + 1)], {0: 1}), refusals)
    assert len(refusals.asked) == 1


async def test_a_month_that_was_dropped_behind_the_writer_comes_again(pool: Pool) -> None:
    store, source_id = await _opened(pool)
    await store.write(source_id, batch_of([Start("a")]), Refusals())
    for parent in ("trips", "predictions", "completions"):
        await pool.execute(f"drop table {parent}_2016_03")
    await store.write(source_id, batch_of([Start("b"), End("b")], {0: 1}), Refusals())
    assert (await stored_in_postgres(pool)).trips == {"b": (0, 1)}


async def test_a_batch_of_many_months_is_stored(pool: Pool) -> None:
    store, source_id = await _opened(pool)
    minutes = [-number * 31 * DAY for number in range(60)]
    batch = batch_of([event for minute in minutes for event in (Start(f"t{minute}", minute), End(f"t{minute}", minute))])
    receipt = await store.write(source_id, batch, Refusals())
    assert receipt.settled == 60
    assert await pool.fetchval("select count(*) from predictions join trips using (trip_id, pickup_at)") == 60


def _found(node: dict[str, Any], what: str) -> list[str]:
    below = [name for child in node.get("Plans", []) for name in _found(child, what)]
    return [node[what], *below] if what in node else below
