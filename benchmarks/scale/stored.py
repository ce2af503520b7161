"""A long history, made by the database itself: trips, predictions and ends of the twelve months up to the stream's."""

import asyncio
from collections.abc import Sequence

import asyncpg

from benchmarks.world import World

MONTHS = tuple(
    f"{2024 + (6 + number) // 12}-{(6 + number) % 12 + 1:02}" for number in range(12)
)  # the stream's are the last two
CONNECTIONS = 2
SOURCE = """
insert into event_sources (cluster_id, topic, topic_uuid) values ('stored', 'stored', gen_random_uuid()) returning source_id
"""
PARENTS = ("trips", "completions", "predictions")
# Ids are random, as a city's are: each row's key lies anywhere in its index. Pickups come in order, as from a stream.
MADE = """
select md5('{month}' || n) as trip_id, timestamptz '{month}-01Z' + n * (interval '28 days' / {rows}) as pickup_at,
    n % 6 as partition, n / 6 as record_offset
from generate_series(0, {rows} - 1) as n
"""
ROWS = {
    "trips": """insert into {table} select trip_id, 1, 1, pickup_at, 40.7, -73.9, 40.8, -73.8, {source}, partition,
        record_offset, pickup_at, null, pickup_at from ({made}) as made""",
    "completions": """insert into {table} select trip_id, pickup_at, pickup_at + interval '11 minutes', false, {source},
        partition, record_offset, pickup_at from ({made}) as made""",
    "predictions": """insert into {table} select trip_id, 'champion', 1, 'stored', 660, 400, 900, pickup_at, {source},
        partition, record_offset, pickup_at from ({made}) as made""",
}
BY_RECORD = "using btree (source_id, partition, record_offset) where source_id is not null"
KEYS = {"trips": "(pickup_at, trip_id)", "completions": "(pickup_at, trip_id)", "predictions": "(pickup_at, trip_id, role)"}
INDEXES = {  # as in the migrations: of a month that is attached, those that are there are taken over
    "trips": (BY_RECORD, "using btree (hashtextextended(trip_id, 0), pickup_at)"),
    "completions": (BY_RECORD, "using btree (trip_id, pickup_at) where early"),
    "predictions": (),
}


async def store(world: World, trips: int) -> None:
    """Leave so many trips in the database, and nothing of a stream. Rows first, then their indexes, each in one go."""
    await world.fetch("drop table if exists " + ", ".join(_tables()))
    await world.fetch("truncate dead_letters, skipped_records, stream_suspects, stream_offsets, event_sources cascade")
    [[source]] = await world.fetch(SOURCE)
    waiting = list(MONTHS)
    await asyncio.gather(*(_months(world, waiting, trips // len(MONTHS), source) for _ in range(CONNECTIONS)))


def _tables() -> Sequence[str]:
    return [f"{parent}_{month.replace('-', '_')}" for month in MONTHS for parent in PARENTS]


async def _months(world: World, waiting: list[str], rows: int, source: int) -> None:
    connection = await asyncpg.connect(world.database)
    try:
        while waiting:
            month = waiting.pop()
            for parent in PARENTS:
                await _month(connection, parent, month, rows, source)
            await connection.execute("select ensure_history_month($1::text::date)", f"{month}-01")  # puts them in their places
            for parent in PARENTS:
                await connection.execute(f"vacuum (analyze) {parent}_{month.replace('-', '_')}")
    finally:
        await connection.close()


async def _month(connection: asyncpg.Connection, parent: str, month: str, rows: int, source: int) -> None:
    table = f"{parent}_{month.replace('-', '_')}"
    await connection.execute(f"create table {table} (like {parent} including defaults)")
    if rows:
        made = MADE.format(month=month, rows=rows)
        await connection.execute(ROWS[parent].format(table=table, source=source, made=made))
    await connection.execute(f"alter table {table} add primary key {KEYS[parent]}")
    for index in INDEXES[parent]:
        await connection.execute(f"create index on {table} {index}")
