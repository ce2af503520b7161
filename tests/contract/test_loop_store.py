"""The loop's memory, in PostgreSQL and in the fake that the Monitor's tests use: the same promises."""

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from adapters.environment.settings import PostgresSettings
from adapters.postgres.connection.pool import open_pool
from adapters.postgres.loop.rollups import rollups_since
from adapters.postgres.loop.store import LoopStore as PostgresLoopStore
from adapters.postgres.stream.store import Streams
from domain.entities.streams import StreamSource
from domain.errors import Fenced
from domain.loop.decisions import Record, Request, RequestKind, ShadowChanged
from domain.loop.journal import Entry, Round, Standing
from domain.loop.tracker import Reach
from domain.sums import Cells, Tally
from stream.monitor_ports import LoopStore
from tests.fakes.loop import InMemoryLoopStore
from tests.tallied import GRID, at, whole
from tests.trips import random_trips
from tests.unit.test_monitor import some_trips

MINUTE = 24280860
ALARM = Record("drift.alarm", "city", "trips take longer", MINUTE)
ASKED = Request(RequestKind.RETRAINING, "episode 1", "they still do", MINUTE)


@dataclass(frozen=True)
class Case:
    """A store with two partitions that begin at 0, and what its roll-ups hold."""

    store: LoopStore
    source_id: int
    cells: Callable[[], Awaitable[Cells]]

    async def commit(self, standing: Standing, tally: Tally, **changes: Any) -> None:
        entries, decisions = changes.pop("entries", ()), changes.pop("decisions", ())
        before = {partition: reach.next_offset for partition, reach in standing.reaches.items()}
        after = replace(standing, seq=standing.seq + len(entries), open=Tally.merged([standing.open, tally]), **changes)
        await self.store.commit(self.source_id, Round(before, after, tally.cells, entries, decisions))


@pytest.fixture(params=["fake", "postgres"])
def address(request: pytest.FixtureRequest) -> str | None:
    """Of a database, where one is needed."""
    return None if request.param == "fake" else str(request.getfixturevalue("database"))


@pytest.fixture
async def case(address: str | None) -> AsyncIterator[Case]:
    if address is None:
        fake = InMemoryLoopStore(some_trips(10))

        async def remembered() -> Cells:
            return fake.cells

        yield Case(fake, 1, remembered)
        return
    pool = await open_pool(PostgresSettings(database=address))
    streams = Streams(pool)
    source_id = await streams.register(StreamSource("cluster", "trip-events", uuid.uuid4()))
    for partition in (0, 1):
        await streams.open_partition(source_id, partition, 0)
    yield Case(PostgresLoopStore(pool, GRID, 120), source_id, lambda: rollups_since(pool, None))
    await pool.close()


def _tally(seed: int = 1) -> Tally:
    return whole(at(random_trips(20, seed=seed), "2016-03-01T17:00:00", 30))


async def test_a_round_is_where_the_next_begins_and_more_is_to_be_read(case: Case) -> None:
    standing, tally = await case.store.standing(case.source_id), _tally()
    assert standing.reaches == {number: Reach(0, None, caught_up=False) for number in (0, 1)}
    await case.commit(standing, tally, reaches={0: Reach(30, MINUTE + 9, caught_up=True)}, expired_until=MINUTE)
    found = await case.store.standing(case.source_id)
    assert found.reaches == {0: Reach(30, MINUTE + 9, caught_up=False), 1: Reach(0, None, caught_up=False)}
    assert (found.expired_until, found.open.as_lists()) == (MINUTE, tally.as_lists())
    assert (await case.cells()).as_lists() == tally.cells.as_lists()


async def test_a_host_that_stands_elsewhere_is_fenced_and_leaves_nothing(case: Case) -> None:
    stale = await case.store.standing(case.source_id)
    await case.commit(stale, _tally(), reaches={0: Reach(30, MINUTE)})
    with pytest.raises(Fenced):
        await case.commit(stale, _tally(2), reaches={0: Reach(40, MINUTE)}, decisions=(ALARM,))
    assert (await case.cells()).as_lists() == _tally().cells.as_lists()
    assert await case.store.owed(0) == []


async def test_a_host_whose_journal_is_shorter_is_fenced(case: Case) -> None:
    stale = await case.store.standing(case.source_id)
    fact = (Entry(1, ShadowChanged(2), MINUTE),)
    await case.commit(stale, Tally.empty(), entries=fact)
    with pytest.raises(Fenced):
        await case.commit(stale, Tally.empty(), entries=fact)
    assert [entry.given async for part in case.store.entries(9) for entry in part] == [ShadowChanged(2)]


async def test_decisions_are_owed_in_order_from_any_of_them_on(case: Case) -> None:
    await case.commit(await case.store.standing(case.source_id), Tally.empty(), decisions=(ALARM, ASKED))
    owed = await case.store.owed(0)
    assert [event.kind for _, event in owed] == ["drift.alarm", "retraining.requested"]
    assert await case.store.owed(owed[0][0]) == owed[1:]
    assert await case.store.owed(owed[1][0]) == []


async def test_nobody_knows_of_a_version_that_was_never_told_of(case: Case) -> None:
    assert (await case.store.baseline(7, None), await case.store.rolled_back(7)) == (None, False)
    assert (await case.store.unlearnt(), await case.store.committed(case.source_id)) == ([], {0: 0, 1: 0})
