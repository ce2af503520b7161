"""A canary is timed from end to end, is missed when it does not arrive, and leaves no trace in what is known of the city."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import msgspec
import pytest

from adapters.environment.settings import PostgresSettings
from adapters.postgres.api.latest_trips import LatestRows
from adapters.postgres.connection.pool import connected, open_pool
from adapters.postgres.history.trip_samples import trip_sample
from adapters.postgres.loop.expirations import expire
from adapters.postgres.loop.stretches import stretch
from adapters.postgres.stream.scored_history import ScoredHistory
from cli.canary.metrics import STAGES
from cli.embedded.ports import free_ports
from domain.areas import AreaGrid
from domain.entities.canaries import PREFIX
from domain.entities.rejections import Reason
from tests.integration.test_worker_signals import everything_is_told, merged, spans_of
from tests.running import PARTITIONS, Worker, World, events_of, until, world_of
from tests.trips import random_trips

MEMORY_BYTES = 100_000_000


@pytest.fixture
async def world(kafka_address: str, database: str, topic_prefix: str, tmp_path: Path) -> AsyncIterator[World]:
    async with world_of(kafka_address, database, topic_prefix, tmp_path) as world:
        yield world


@contextmanager
def _canary(world: World, **settings: str) -> Iterator[Worker]:
    port = str(free_ports(1)[0])
    environment = {"TRIPCAST_CANARY_INTERVAL_SECONDS": "0.2", "TRIPCAST_CANARY_PORT": port, **settings}
    with world.worker("cli", "canary", **environment) as process:
        yield replace(process, port=int(port))


async def _through(canary: Worker, count: int) -> None:
    """Return when so many were published and so many stored: one that was late for one of the two counts for the other."""

    async def done() -> bool:
        if canary.health("livez")[0] != 200:
            return False
        return min(canary.metric("tripcast_canary_seconds_count", stage=stage) for stage in STAGES) >= count

    await until(done)


async def _ready(canary: Worker) -> bool:
    return canary.health("readyz")[0] == 200


async def test_a_canary_that_does_not_arrive_is_told_and_one_that_does_is_timed(world: World) -> None:
    with _canary(world, TRIPCAST_CANARY_DEADLINE_SECONDS="1") as canary:  # nobody reads yet

        async def missed() -> bool:
            return bool(canary.events("canary_lost")) and canary.metric("tripcast_canary_lost_total") >= 1

        await until(missed)
        status, said = canary.health("readyz")
        assert (status, list(said["missing"])) == (503, ["trips"])
        assert canary.health("livez")[0] == 200
        assert canary.metric("tripcast_canary_last_success_timestamp_seconds") == 0
        with world.worker():
            await until(lambda: _ready(canary))
            await _through(canary, 6)
            assert canary.metric("tripcast_canary_last_success_timestamp_seconds") > 0
            assert canary.metric("process_resident_memory_bytes") < MEMORY_BYTES
    rows = await world.rows("select distinct partition from trips where starts_with(trip_id, $1)", PREFIX)
    assert len(rows) == PARTITIONS
    assert not await world.unaccounted()


async def test_canaries_are_no_part_of_the_city(world: World) -> None:
    """A replay of years ago beside two canaries: its clock, its sums and its trips are as if there were none."""
    started, completed = events_of(random_trips(300, seed=3))
    newest, last = max(each.pickup_at for each in started), max(each.dropoff_at for each in completed)
    hidden = msgspec.structs.replace(started[0], trip_id=f"{PREFIX}mine")
    ended = msgspec.structs.replace(completed[0], trip_id=f"{PREFIX}mine")
    with world.worker() as worker:
        with _canary(world) as first, _canary(world) as second:
            await world.publish([*started[:150], hidden, ended])
            await _through(first, 3)
            await world.publish([*started[150:], *completed])
            await _through(first, 5)
            await _through(second, 3)
            assert first.metric("tripcast_canary_lost_total") == second.metric("tripcast_canary_lost_total") == 0
        await world.drained()
        signals = await everything_is_told(world)
        assert worker.metric("tripcast_last_event_time_seconds") == newest.timestamp()
    spans = spans_of(signals)
    assert max(span.newest_us or 0 for span in spans) == int(last.timestamp() * 1e6)
    assert sum(merged(signals).cells.started.tolist()) == len(started)
    letters = await world.rows("select reason from dead_letters")
    assert [row["reason"] for row in letters] == [Reason.TRIP_ID_RESERVED] * 2  # nobody hides trips behind the name
    [canaries] = await world.rows(
        "select count(*), min(pickup_at), max(pickup_at) from trips where starts_with(trip_id, $1)", PREFIX
    )
    assert canaries[0] >= 8
    assert not await world.unaccounted()
    await _unseen(world, newest, canaries[1:])


async def _unseen(world: World, newest: datetime, flown: Sequence[datetime]) -> None:
    """What is asked of the rows knows of no canary either."""
    pool, grid = await open_pool(PostgresSettings(database=world.database)), AreaGrid()
    try:
        counted = [await stretch(pool, grid, 1, number, (0, 10_000)) for number in range(PARTITIONS)]
        assert sum(len(each.started) for each in counted) == 300
        found = await ScoredHistory(pool, grid).newest_pickups(1, dict.fromkeys(range(PARTITIONS), 10_000))
        assert max(found.values()).item() == newest.replace(tzinfo=None)
        assert {row.trip_id.partition("-")[0] for row in await LatestRows(pool, grid)(1, PARTITIONS)} == {"t3"}
        sample = await trip_sample(pool)
        assert (len(sample.trips), sample.total) == (300, 300)
        first, until_ = (int(each.timestamp() // 60) for each in flown)
        async with connected(pool) as connection:
            assert await expire(connection, first, until_ + 1, until_ + 2) == 0
    finally:
        await pool.close()
