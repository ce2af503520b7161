"""Minutes of service in the database: the fuller one stays, steps of a long time add up."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from adapters.environment.settings import PostgresSettings
from adapters.postgres.api.service_minutes import all_minutes, minutes_since, write_minute
from adapters.postgres.connection.pool import Pool, open_pool
from cli.embedded.postgres import API, EmbeddedPostgres
from domain.entities.service import LATENCY_BUCKETS, ServiceMinute

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
COUNTS = tuple(range(len(LATENCY_BUCKETS) + 1))
MINUTE = ServiceMinute(NOON, 60, 100, 50, 1, COUNTS, {"0": 3, "11": 4}, 1.5, NOON - timedelta(days=3000), 7)


@pytest.fixture
async def pool(postgres_server: EmbeddedPostgres, database: str) -> AsyncIterator[Pool]:
    """With the API's own login."""
    pool = await open_pool(PostgresSettings(database=postgres_server.address(API, database.rpartition("/")[2])))
    yield pool
    await pool.close()


async def test_a_minute_is_read_as_it_was_written(pool: Pool) -> None:
    await write_minute(pool, MINUTE)
    await write_minute(pool, replace(MINUTE, minute=NOON - timedelta(minutes=1), event_time=None))
    before, found = await minutes_since(pool, NOON - timedelta(minutes=1))
    assert found == MINUTE
    assert before.event_time is None
    assert await minutes_since(pool, NOON + timedelta(seconds=1)) == []


async def test_of_two_that_saw_a_minute_the_one_that_saw_more_is_kept(pool: Pool) -> None:
    await write_minute(pool, replace(MINUTE, seconds_seen=20, received=30))
    await write_minute(pool, replace(MINUTE, seconds_seen=40, received=70))
    await write_minute(pool, replace(MINUTE, seconds_seen=19, received=29))
    [found] = await minutes_since(pool, NOON)
    assert (found.seconds_seen, found.received) == (40, 70)


async def test_a_long_time_comes_in_few_steps_that_add_up(pool: Pool) -> None:
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    for ago in range(600, 0, -1):
        lag = {"0": ago}
        await write_minute(pool, replace(MINUTE, minute=now - timedelta(minutes=ago), lag_events=lag, lag_seconds=float(ago)))
    step, found = await all_minutes(pool, most=60)
    assert len(found) <= 60
    assert step % 60 == 0
    assert sum(each.received for each in found) == 60_000
    assert sum(sum(each.latency_counts) for each in found) == 600 * sum(COUNTS)
    assert (found[-1].lag_events, found[-1].lag_seconds) == ({"0": 1}, 1.0)
    assert (found[1].minute - found[0].minute).total_seconds() == step


async def test_before_the_first_minute_there_is_nothing(pool: Pool) -> None:
    assert (await all_minutes(pool))[1] == []
