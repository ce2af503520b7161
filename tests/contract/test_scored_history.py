"""What `stream.ports.ScoredHistory` promises, held by PostgreSQL and by the fake."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass

import numpy as np
import pytest

from adapters.environment.settings import PostgresSettings
from adapters.postgres.connection.pool import open_pool
from adapters.postgres.history.trips import History
from adapters.postgres.stream.scored_history import ScoredHistory as Postgres
from adapters.postgres.stream.store import Streams
from domain.areas import AreaGrid
from domain.entities.streams import EventBatch, StreamSource
from domain.entities.trips import TIME, CompletionColumns
from domain.ports import StreamStore
from domain.tallies import NO_VERSION, scored_trips
from stream.ports import ScoredHistory
from tests.batches import NOON, SHADOW_STAMP, STAMP, End, Refusals, Start, batch_of, with_shadow
from tests.fakes.scored_history import InMemoryScoredHistory
from tests.fakes.streams import InMemoryStreams
from tests.plain_tallies import plain_trips
from tests.trips import random_trips

MINUTE = np.timedelta64(60_000_000, "us")


@dataclass
class Case:
    history: ScoredHistory
    store: StreamStore
    source_id: int

    async def write(self, batch: EventBatch) -> None:
        for span in batch.spans:
            await self.store.open_partition(self.source_id, span.partition, span.first_offset)
        await self.store.write(self.source_id, batch, Refusals())


@pytest.fixture(params=["fake", "postgres"])
def address(request: pytest.FixtureRequest) -> str | None:
    """Of a database, or None for the fake."""
    return request.getfixturevalue("database") if request.param == "postgres" else None


@pytest.fixture
async def case(address: str | None) -> AsyncIterator[Case]:
    source = StreamSource("cluster", "trip-events", uuid.uuid4())
    if address is None:
        fake = InMemoryStreams()
        yield Case(InMemoryScoredHistory(fake), fake, await fake.register(source))
        return
    pool = await open_pool(PostgresSettings(database=address))
    store = Streams(pool)
    yield Case(Postgres(pool, AreaGrid()), store, await store.register(source))
    await pool.close()


async def test_trips_come_back_bit_for_bit_as_they_were_scored_with_a_shadow_and_without(case: Case) -> None:
    plain, shadowed = batch_of([Start("a"), Start("b", minute=3)]), with_shadow(batch_of([Start("c", minute=1)], {0: 2}))
    await case.write(plain)
    await case.write(shadowed)
    found = {
        trip.trip_id: trip
        for trip in plain_trips(await case.history.scored(["c", "x", "a"], NOON + np.array([1, 0, 0]) * MINUTE))
    }
    assert shadowed.shadow is not None
    shadow = SHADOW_STAMP.version, shadowed.shadow.predictions
    [expected] = plain_trips(scored_trips(shadowed.started, shadowed.predictions, STAMP.version, AreaGrid(), shadow))
    assert found.keys() == {"a", "c"}
    assert found["c"] == expected
    first = plain_trips(scored_trips(plain.started, plain.predictions, STAMP.version, AreaGrid()))[0]
    assert found["a"].shadow_version == NO_VERSION
    assert (found["a"].seconds, found["a"].log_km, found["a"].area) == (first.seconds, first.log_km, first.area)


async def test_nothing_is_known_of_trips_that_nobody_scored(case: Case) -> None:
    await case.write(batch_of([End("early")]))
    assert len(await case.history.scored(["early", "never"], np.array([NOON, NOON]))) == 0
    assert len(await case.history.scored([], np.empty(0, TIME))) == 0


async def test_trips_from_files_were_scored_by_nobody(database: str) -> None:
    pool = await open_pool(PostgresSettings(database=database))
    trips = random_trips(3)
    await History(pool).add(trips, CompletionColumns(trips.trip_id, trips.pickup_at, trips.pickup_at + np.timedelta64(9, "m")))
    assert len(await Postgres(pool, AreaGrid()).scored(trips.trip_id.tolist(), trips.pickup_at)) == 0
    await pool.close()


async def test_the_newest_pickup_before_an_offset_is_told_for_each_partition(case: Case) -> None:
    events = [Start("a", minute=5), Start("b", minute=2), Start("c", minute=9), Start("d", minute=1, partition=1)]
    await case.write(batch_of(events))
    assert await case.history.newest_pickups(case.source_id, {0: 2, 1: 0, 2: 7}) == {0: NOON + 5 * MINUTE}
    assert await case.history.newest_pickups(case.source_id, {0: 3, 1: 1}) == {0: NOON + 9 * MINUTE, 1: NOON + MINUTE}
