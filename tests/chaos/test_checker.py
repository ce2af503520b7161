"""The checker is proven on planted bugs: each of these databases is what such a bug would leave behind."""

from collections.abc import AsyncIterator
from pathlib import Path
from tempfile import NamedTemporaryFile

import asyncpg
import msgspec
import pytest

from schemas.events import TripStarted
from tests.chaos.checker import violations
from tests.chaos.checker_sql import violations_in_sql, write
from tests.chaos.journal import Journal
from tests.running import events_of
from tests.trips import random_trips

TRIP = """insert into trips (trip_id, vendor_id, passenger_count, pickup_at, pickup_latitude, pickup_longitude,
    dropoff_latitude, dropoff_longitude, source_id, partition, record_offset)
    values ($1, $2, $3, $4, $5, $6, $7, $8, 1, 0, $9)"""
PREDICTION = "insert into predictions values ($1, 'champion', $2, 'schema', 600, 300, 900, now(), 1, 0, $3, $4)"
MONTH = "select ensure_history_month(date_trunc('month', $1::timestamptz at time zone 'UTC')::date)"
COUNT = 20


@pytest.fixture
async def stored(database: str) -> AsyncIterator[asyncpg.Connection]:
    """Twenty sent trips, all stored as they should be."""
    connection = await asyncpg.connect(database)
    await connection.execute("insert into event_sources (cluster_id, topic, topic_uuid) values ('c', 't', gen_random_uuid())")
    for offset, event in enumerate(_events()):
        await _insert(connection, event, offset)
    await connection.execute("insert into stream_offsets values (1, 0, 0, $1, 0)", COUNT)
    yield connection
    await connection.close()


def _events() -> list[TripStarted]:
    return events_of(random_trips(COUNT))[0]


async def _insert(connection: asyncpg.Connection, event, offset: int, version: int = 1) -> None:
    where = (event.pickup.latitude, event.pickup.longitude, event.dropoff.latitude, event.dropoff.longitude)
    await connection.execute(MONTH, event.pickup_at)
    await connection.execute(TRIP, event.trip_id, event.vendor_id, event.passenger_count, event.pickup_at, *where, offset)
    await connection.execute(PREDICTION, event.trip_id, version, offset, event.pickup_at)


def _journal() -> Journal:
    journal = Journal()
    for offset, event in enumerate(_events()):
        journal.acknowledge(0, offset, event.trip_id.encode(), msgspec.json.encode(event))
    return journal


async def _found(connection: asyncpg.Connection) -> set[str]:
    """By both judges, who must agree."""
    found = {violation.partition(":")[0].split(" at ")[0] for violation in await violations(_journal(), connection)}
    with NamedTemporaryFile() as file:
        write(_journal(), Path(file.name))
        in_sql = await violations_in_sql(Path(file.name), connection)
    assert {violation.partition(":")[0].split(" at ")[0] for violation in in_sql} == found
    return found


async def test_it_finds_nothing_where_nothing_is_wrong(stored: asyncpg.Connection) -> None:
    assert await _found(stored) == set()


async def test_it_finds_an_offset_that_moved_before_the_write(stored: asyncpg.Connection) -> None:
    await stored.execute("delete from predictions where record_offset = 7")
    await stored.execute("delete from trips where record_offset = 7")
    assert await _found(stored) == {"lost", "gap"}


async def test_it_finds_a_batch_that_a_retry_dropped(stored: asyncpg.Connection) -> None:
    await stored.execute("delete from predictions where record_offset >= 10")
    await stored.execute("delete from trips where record_offset >= 10")
    await stored.execute("update stream_offsets set next_offset = 10")
    assert await _found(stored) == {"lost"}


async def test_it_finds_an_error_that_was_committed_in_part(stored: asyncpg.Connection) -> None:
    await stored.execute("delete from predictions where record_offset = 3")
    assert await _found(stored) == {"unpredicted"}


async def test_it_finds_an_event_that_had_its_effect_twice(stored: asyncpg.Connection) -> None:
    await stored.execute("insert into skipped_records values (1, 0, 4, 4, 'identical_repeat', 't0-4')")
    assert await _found(stored) == {"twice"}


async def test_it_finds_contents_that_were_changed(stored: asyncpg.Connection) -> None:
    await stored.execute("update trips set pickup_latitude = pickup_latitude + 1e-9 where record_offset = 5")
    assert await _found(stored) == {"different"}


async def test_it_finds_what_was_never_sent(stored: asyncpg.Connection) -> None:
    [ghost] = events_of(random_trips(1, seed=99))[0]
    await _insert(stored, ghost, COUNT)
    assert await _found(stored) == {"never sent", "gap"}


async def test_it_finds_a_model_version_that_went_back_unless_somebody_rolled_back(stored: asyncpg.Connection) -> None:
    await stored.execute("update predictions set model_version = 2 where record_offset < 10")
    assert await _found(stored) == {"version went back"}
    await stored.execute(
        "insert into lifecycle_events (at, kind, subject, actor, reason) values (now(), 'model.rolled_back', '1', 'a', 'r')"
    )
    assert await _found(stored) == set()
