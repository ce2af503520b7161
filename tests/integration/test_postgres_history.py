"""History: stored once, read back the same, whatever is there already."""

import uuid
from datetime import UTC, datetime, timedelta

import numpy as np

from adapters.postgres.connection.pool import Pool
from adapters.postgres.history.trips import History
from adapters.postgres.stream.store import Streams
from domain.entities.files import LoadedFile, RejectedRow
from domain.entities.rejections import Reason
from domain.entities.streams import StreamSource
from domain.entities.trips import SECOND, CompletionColumns, TripColumns
from tests.batches import NOON, End, Refusals, Start, batch_of
from tests.trips import random_trips


def _ends(trips: TripColumns, seconds: int = 600) -> CompletionColumns:
    return CompletionColumns(trips.trip_id, trips.pickup_at, trips.pickup_at + seconds * SECOND)


def _in_order(trips: TripColumns) -> TripColumns:
    return trips.take(np.lexsort((trips.trip_id.astype(str), trips.pickup_at)))


def _assert_same(found: TripColumns, expected: TripColumns) -> None:
    for name in TripColumns.__dataclass_fields__:
        column, wanted = getattr(found, name), getattr(expected, name)
        assert column.dtype == wanted.dtype, name
        assert column.tolist() == wanted.tolist(), name


async def test_labelled_trips_come_back_as_they_were_in_order_of_pickup_and_id(pool: Pool) -> None:
    history, trips = History(pool), random_trips(2000, days=1)
    assert await history.add(trips, _ends(trips)) == 2000
    found, ends = await history.labelled_trips(with_ids=True)
    _assert_same(found, _in_order(trips))
    assert ends.dropoff_at.tolist() == (found.pickup_at + 600 * SECOND).tolist()
    without_ids, _ = await history.labelled_trips()
    assert without_ids.pickup_at.tolist() == found.pickup_at.tolist()
    assert set(without_ids.trip_id) == {""}


async def test_labelled_trips_in_a_range_of_pickups(pool: Pool) -> None:
    history, trips = History(pool), random_trips(300, days=10)
    await history.add(trips, _ends(trips))
    since = datetime(2016, 1, 3, 12, tzinfo=UTC)
    found, _ = await history.labelled_trips(since, since + timedelta(days=2))
    first, last = np.datetime64("2016-01-03T12:00"), np.datetime64("2016-01-05T12:00")
    assert len(found) == int(((trips.pickup_at >= first) & (trips.pickup_at < last)).sum()) > 0
    assert len((await history.labelled_trips(datetime(2030, 1, 1, tzinfo=UTC)))[0]) == 0


async def test_only_trips_that_have_ended_as_they_began_are_labelled(pool: Pool) -> None:
    store = Streams(pool)
    source_id = await store.register(StreamSource("c", "t", uuid.uuid4()))
    await store.open_partition(source_id, 0, 0)
    await store.write(source_id, batch_of([Start("open"), Start("done"), End("done"), End("early")]), Refusals())
    found, _ = await History(pool).labelled_trips(with_ids=True)
    assert found.trip_id.tolist() == ["done"]


async def test_loading_again_in_whole_or_in_part_stores_nothing_twice(pool: Pool) -> None:
    history, trips = History(pool), random_trips(500)
    assert await history.add(trips.take(slice(0, 200)), _ends(trips).take(slice(0, 200))) == 200
    assert await history.add(trips, _ends(trips)) == 300
    assert await history.add(trips, _ends(trips, seconds=1)) == 0
    assert await pool.fetchval("select count(*) from trips join completions using (trip_id, pickup_at)") == 500
    assert await pool.fetchval("select count(distinct dropoff_at - pickup_at) from completions") == 1


async def test_of_repeats_in_one_batch_the_first_is_stored(pool: Pool) -> None:
    trips = random_trips(3)
    trips.trip_id[:], trips.pickup_at[2] = ["same", "other", "same"], trips.pickup_at[0]
    assert await History(pool).add(trips, _ends(trips)) == 2
    assert await pool.fetchval("select pickup_latitude from trips where trip_id = 'same'") == trips.pickup_latitude[0]


async def test_an_id_with_another_pickup_is_another_trip(pool: Pool) -> None:
    trips = random_trips(2)
    trips.trip_id[:] = "same"
    assert await History(pool).add(trips, _ends(trips)) == 2
    assert await History(pool).add(trips, _ends(trips)) == 0
    assert await pool.fetchval("select count(*) from trips join completions using (trip_id, pickup_at)") == 2


async def test_what_the_stream_has_stored_is_left_untouched(pool: Pool) -> None:
    store, refusals = Streams(pool), Refusals()
    source_id = await store.register(StreamSource("c", "t", uuid.uuid4()))
    await store.open_partition(source_id, 0, 0)
    await store.write(source_id, batch_of([Start("a"), End("b")]), refusals)
    trips = batch_of([Start("a", passengers=4), Start("b"), Start("c")]).started
    assert await History(pool).add(trips, _ends(trips)) == 1
    assert [row[0] for row in await pool.fetch("select trip_id from trips order by 1")] == ["a", "c"]
    assert await pool.fetchval("select passenger_count from trips where trip_id = 'a'") == 1


async def test_an_event_of_a_loaded_trip_is_an_identical_repeat(pool: Pool) -> None:
    batch = batch_of([Start("a"), End("a", lasted=10), Start("b"), End("b")])
    await History(pool).add(batch.started, batch.completed)
    store = Streams(pool)
    source_id = await store.register(StreamSource("c", "t", uuid.uuid4()))
    await store.open_partition(source_id, 0, 0)
    refusals = Refusals()
    changed = batch_of([Start("a"), End("a", lasted=10), Start("b", passengers=3), End("b", lasted=11)])
    receipt = await store.write(source_id, changed, refusals)
    assert (receipt.repeats, receipt.dead_letters, receipt.settled, receipt.stored.tolist()) == (2, 2, 0, [False, False])


async def test_refused_rows_and_the_ledger_are_kept_once(pool: Pool) -> None:
    history = History(pool)
    rows = [
        RejectedRow(1, Reason.OUTSIDE_SERVICE_AREA, {"latitude": float("nan"), "text": "nul \x00", "at": NOON}),
        RejectedRow(2, Reason.DURATION_NOT_POSITIVE, {"nothing": None, "number": np.float64(2.5), "half": "\ud800"}),
    ]
    for _ in range(2):
        await history.reject("sha", rows)
    stored = await pool.fetch("select row_number, reason, row ->> 'latitude' from rejected_rows order by 1")
    assert [tuple(row) for row in stored] == [(1, "outside_service_area", None), (2, "duration_not_positive", None)]
    assert await history.already_loaded("sha") is None
    await history.finish(LoadedFile("sha", "trips.csv", "layout", 4, 1, {"outside_service_area": 1}))
    whole = LoadedFile("sha", "trips.csv", "layout", 4, 2, {"outside_service_area": 1, "duration_not_positive": 1})
    await history.finish(whole)
    assert await history.already_loaded("sha") == whole
