"""Of bad events the log shows no contents, and a killer in a backlog is found; the kinds of them: promise 3."""

from pathlib import Path

import pytest

from tests.chaos.kills import died
from tests.running import World, events_of, world_of
from tests.trips import random_trips


@pytest.fixture
async def world(kafka_address: str, database: str, topic_prefix: str, tmp_path: Path):
    async with world_of(kafka_address, database, topic_prefix, tmp_path) as world:
        yield world


async def test_logs_name_refused_events_by_place_and_never_show_their_contents(world: World) -> None:
    await world.send(b"secret-key", b"secret-value", headers=(("secret-header", b"secret"),))
    with world.worker() as worker:
        await world.drained()
        [event] = worker.events("quarantined")
        assert (event["partition"], event["offset"], event["reason"]) == (0, 0, "invalid_json")
    assert "secret" not in worker.log.read_text()


async def test_a_killer_far_inside_a_large_backlog_is_found_and_nobody_else_is_blamed(world: World) -> None:
    trips, _ = events_of(random_trips(6000))
    killer = trips[4000].trip_id
    await world.publish(trips)
    deaths = 0
    while await died(world, TEST_KILLER=killer, TRIPCAST_WORKER_GROUP=f"after-{deaths}"):
        deaths += 1
        assert deaths <= 12
    assert [row["key"] for row in await world.rows("select key from dead_letters")] == [killer.encode()]
    assert await world.count("trips") == 5999
    assert await world.unaccounted() == []
