"""What the loop reads of trips: those that never end, and stretches of what became rows."""

import numpy as np

from adapters.postgres.connection.pool import Pool
from adapters.postgres.loop.expirations import expirations
from adapters.postgres.loop.store import LoopStore
from adapters.postgres.stream.store import Streams
from domain.loop.journal import moment
from tests.batches import End, Event, Poison, Refusals, Start, batch_of
from tests.loop_rounds import NOON_MINUTE, a_round


class TestExpiry:
    EVENTS: tuple[Event, ...] = (
        Start("gone"),
        Start("ended"),
        End("ended"),
        Start("young", minute=120),
        Start("late", minute=1),
    )

    async def _expire(self, store: LoopStore, source_id: int, hours: int = 1) -> int:
        expire = ((NOON_MINUTE, NOON_MINUTE + 60 * hours),)
        made = a_round(await store.standing(source_id), {}, closed_until=NOON_MINUTE + 1500, expire=expire)
        return (await store.commit(source_id, made)).expired

    async def test_trips_without_an_end_are_given_up_once_and_settle_all_the_same(
        self, store: LoopStore, pool: Pool, source_id: int
    ) -> None:
        streams = Streams(pool)
        await streams.write(source_id, batch_of(self.EVENTS, {0: 100}), Refusals())
        assert (await self._expire(store, source_id), await self._expire(store, source_id)) == (2, 0)
        rows = await pool.fetch("select trip_id, expired_at from expirations order by 1")
        assert [tuple(row) for row in rows] == [(name, moment(NOON_MINUTE + 1500)) for name in ("gone", "late")]
        receipt = await streams.write(source_id, batch_of([End("late", minute=1, lasted=1600)], {0: 105}), Refusals())
        assert receipt.settled == 1
        found = await expirations(pool)
        assert (found.expired, found.late) == (2, 1)
        assert (await expirations(pool, since=moment(NOON_MINUTE + 1))).expired == 1

    async def test_only_the_hours_asked_for_are_looked_at(self, store: LoopStore, pool: Pool, source_id: int) -> None:
        await Streams(pool).write(source_id, batch_of(self.EVENTS, {0: 100}), Refusals())
        assert await self._expire(store, source_id, hours=3) == 3


class TestStretches:
    EVENTS: tuple[Event, ...] = (
        Start("a"), Poison(), End("a"), End("early"), Start("b", minute=9), End("b", minute=9), Start("early"), Start("c")
    )  # fmt: skip

    async def test_a_stretch_has_what_became_rows_in_it(self, store: LoopStore, pool: Pool, source_id: int) -> None:
        streams = Streams(pool)
        await streams.write(source_id, batch_of(self.EVENTS[:4], {0: 100}), Refusals())
        await streams.write(source_id, batch_of(self.EVENTS[4:], {0: 104}), Refusals())
        found = await store.stretch(source_id, 0, (101, 107))
        assert found.started.trip_id.tolist() == ["b", "early"]
        assert found.started_records.offset.tolist() == [104, 106]
        assert (found.ended.trip_id.tolist(), found.settled.trip_id.tolist()) == (["a", "b"], ["a", "b"])
        assert found.dropoff_at.tolist() == found.ended.dropoff_at.tolist()
        assert found.refused.offset.tolist() == [101]
        assert found.newest_before == np.datetime64("2016-03-01T17:00", "us")

    async def test_an_empty_stretch_is_empty(self, store: LoopStore, source_id: int) -> None:
        found = await store.stretch(source_id, 0, (100, 100))
        assert (len(found.started), len(found.ended), len(found.settled), len(found.refused)) == (0, 0, 0, 0)
        assert found.newest_before is None
