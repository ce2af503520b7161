"""Quality signals of real workers against a real broker and a real database: they say what the rows say, once."""

import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from adapters.kafka.broker import Broker
from adapters.kafka.topics import end_offsets
from domain.areas import AreaGrid
from domain.entities.trips import TIME, TripColumns
from domain.features import distance_km_of
from domain.sums import Tally
from domain.tallies import SHORTEST_KM
from schemas.events import QualitySignal, SignalSpan, TripCompleted, TripStarted
from tests.plain_tallies import PlainTally, PlainTrip, sums_of
from tests.running import PARTITIONS, World, events_of, until, world_of
from tests.trips import random_trips

MICROSECONDS = "(extract(epoch from {}) * 1000000)::bigint"
TRIPS = f"""
select t.trip_id, t.partition, t.record_offset, {MICROSECONDS.format("t.pickup_at")} as pickup_us,
    vendor_id, passenger_count, pickup_latitude, pickup_longitude, dropoff_latitude, dropoff_longitude,
    p.model_version, p.duration_seconds, p.lower_seconds, p.upper_seconds,
    s.model_version as shadow, s.duration_seconds as s_duration, s.lower_seconds as s_lower, s.upper_seconds as s_upper
from trips as t
join predictions as p on p.trip_id = t.trip_id and p.role = 'champion'
left join predictions as s on s.trip_id = t.trip_id and s.role = 'challenger'
"""
ENDS = f"""
select trip_id, partition, record_offset, {MICROSECONDS.format("dropoff_at")} as dropoff_us from completions where not early
"""


@pytest.fixture
async def world(kafka_address: str, database: str, topic_prefix: str, tmp_path: Path) -> AsyncIterator[World]:
    async with world_of(kafka_address, database, topic_prefix, tmp_path) as world:
        yield world


@dataclass(frozen=True)
class Rows:
    """What the database holds, read past the worker's own code."""

    trips: dict[str, PlainTrip]
    started: dict[tuple[int, int], str]
    ended: dict[tuple[int, int], tuple[str, int]]
    refused: set[tuple[int, int]]

    def tally(self, spans: Sequence[SignalSpan]) -> PlainTally:
        """Of the records in these spans; what lies between them was seen too, but is not counted."""
        tally, outside = PlainTally(), PlainTally()
        for partition in {span.partition for span in spans}:
            mine = [(span.first_offset, span.next_offset) for span in spans if span.partition == partition]
            tally.newest = None
            for offset in range(max(after for _, after in mine)):
                into = tally if any(first <= offset < after for first, after in mine) else outside
                into.newest = tally.newest
                self._tell(into, (partition, offset))
                tally.newest = into.newest
        return tally

    def _tell(self, tally: PlainTally, record: tuple[int, int]) -> None:
        if record in self.started:
            tally.start(self.trips[self.started[record]])
        elif record in self.refused:
            tally.refuse()
        elif record in self.ended:
            trip_id, dropoff_us = self.ended[record]
            tally.end(self.trips[trip_id], dropoff_us)


async def rows_of(world: World) -> Rows:
    found = await world.rows(TRIPS)
    trips = _plain(found)
    return Rows(
        {trip.trip_id: trip for trip in trips},
        {(row["partition"], row["record_offset"]): row["trip_id"] for row in found},
        {(row["partition"], row["record_offset"]): (row["trip_id"], row["dropoff_us"]) for row in await world.rows(ENDS)},
        {tuple(row) for row in await world.rows("select partition, record_offset from dead_letters")},
    )


def _plain(rows: Sequence[Any]) -> list[PlainTrip]:
    names = ("pickup_latitude", "pickup_longitude", "dropoff_latitude", "dropoff_longitude")
    places = {name: np.array([row[name] for row in rows]) for name in names}
    area, dropoff_area = (AreaGrid().of(places[f"{end}_latitude"], places[f"{end}_longitude"]) for end in ("pickup", "dropoff"))
    whole = random_trips(len(rows))
    columns: TripColumns = replace(whole, pickup_at=whole.pickup_at.astype(TIME), **places)
    log_km = np.log(np.maximum(distance_km_of(columns), SHORTEST_KM))
    return [
        PlainTrip(
            row["trip_id"],
            row["pickup_us"],
            int(area[number]),
            int(dropoff_area[number]),
            row["vendor_id"],
            float(log_km[number]),
            row["passenger_count"] == 0,
            row["model_version"],
            (row["duration_seconds"], row["lower_seconds"], row["upper_seconds"]),
            row["shadow"] or 0,
            (row["s_duration"] or 0.0, row["s_lower"] or 0.0, row["s_upper"] or 0.0),
        )
        for number, row in enumerate(rows)
    ]


async def told(world: World) -> list[QualitySignal]:
    return [msgspec.json.decode(record.value, type=QualitySignal) for record in await world.published("quality-signals")]


def spans_of(signals: Sequence[QualitySignal]) -> list[SignalSpan]:
    return [span for told in signals for span in told.spans]


def merged(signals: Sequence[QualitySignal]) -> Tally:
    return Tally.merged([Tally.from_lists(told.tally) for told in signals])


async def everything_is_told(world: World) -> list[QualitySignal]:
    """All signals, once the last records of each partition are told, as caught up."""
    ends = await end_offsets(Broker(world.kafka), f"{world.prefix}trip-events")

    async def done() -> bool:
        last = {span.partition: (span.next_offset, span.caught_up) for span in spans_of(await told(world))}
        return last == {number: (end, True) for number, end in ends.items()}

    await until(done)
    return await told(world)


def assert_one_after_the_other(spans: Sequence[SignalSpan], *, gaps: bool = False) -> None:
    """Spans of a partition come in order, none twice."""
    reached = dict.fromkeys(range(PARTITIONS), 0)
    for span in spans:
        assert span.first_offset == reached[span.partition] or (gaps and span.first_offset > reached[span.partition])
        reached[span.partition] = span.next_offset


def a_day(count: int) -> tuple[list[TripStarted], list[TripCompleted]]:
    """Trips of one day in order of their pickups."""
    trips = random_trips(count, days=1)
    return events_of(trips.take(np.argsort(trips.pickup_at)))


async def test_merged_signals_are_what_a_plain_loop_counts_in_the_rows(world: World) -> None:
    started, completed = a_day(4000)
    await world.publish(started[:3000])
    await world.publish([*completed[:2500], *started[:100], *completed[:50]])  # some again
    for number in range(30):
        await world.send(b"key", b"rubbish %d" % number, partition=number % PARTITIONS)
    contradicting = [msgspec.structs.replace(event, passenger_count=event.passenger_count + 1) for event in started[:20]]
    await world.publish([*contradicting, *started[3000:], *completed[3900:], *completed[2500:3500]])
    with world.worker(TEST_SHADOW="2") as worker:
        await world.drained()
        signals = await everything_is_told(world)
        assert worker.metric("tripcast_shadowed_total") == 4000
        assert worker.metric("tripcast_challenger_version") == 2
        assert worker.metric("tripcast_signals_sent_total") == len(signals)
        assert worker.metric("tripcast_signals_dropped_total") == 0
    spans, tally = spans_of(signals), merged(signals)
    assert_one_after_the_other(spans)
    assert sums_of(tally) == (await rows_of(world)).tally(spans).sums
    assert (tally.inputs.trips.sum(), tally.inputs.refused.sum(), tally.pairs.pairs.sum()) == (4000, 50, 3600)
    assert (signals[-1].champion, signals[-1].shadow) == (1, 2)


async def test_a_killed_worker_loses_signals_at_most_and_the_next_one_knows_what_it_did_not_see(world: World) -> None:
    started, completed = a_day(15_000)
    await world.publish(started)
    await world.publish(completed)
    worker = world.start_worker(TRIPCAST_WORKER_BATCH="250")

    async def has_told() -> bool:
        return len(await told(world)) > 0

    await until(has_told)
    worker.signal(signal.SIGKILL)
    await worker.ended()
    assert await world.count("completions") < 15_000, "it was killed too late to tell anything"
    with world.worker(TEST_SHADOW="2"):
        await world.drained()
        signals = await everything_is_told(world)
    spans = spans_of(signals)
    assert_one_after_the_other(spans, gaps=True)
    assert sums_of(merged(signals)) == (await rows_of(world)).tally(spans).sums


async def test_a_worker_that_ends_in_order_loses_none(world: World) -> None:
    started, completed = a_day(4000)
    await world.publish(started)
    await world.publish(completed)
    worker = world.start_worker(TRIPCAST_WORKER_BATCH="500")

    async def has_begun() -> bool:
        return await world.count("trips") > 0

    await until(has_begun)
    worker.signal(signal.SIGTERM)
    assert await worker.ended() == 0
    reached = {span.partition: span.next_offset for span in spans_of(await told(world))}
    query = "select partition, next_offset from stream_offsets where next_offset > 0"
    stored = {row[0]: row[1] for row in await world.rows(query)}
    assert reached == stored
    with world.worker():
        await world.drained()
        signals = await everything_is_told(world)
    assert_one_after_the_other(spans_of(signals))
    assert merged(signals).inputs.trips.sum() == 4000
    assert sums_of(merged(signals)) == (await rows_of(world)).tally(spans_of(signals)).sums


async def test_two_workers_that_pass_partitions_on_lose_none(world: World) -> None:
    started, completed = a_day(3000)
    with world.worker() as first:
        await world.publish(started[:1000])
        await world.drained()
        with world.worker() as second:

            async def both_have_some() -> bool:
                shares = [worker.events("taken_over")[-1:] for worker in (first, second)]
                return all(share and share[0]["next_offsets"] for share in shares)

            await until(both_have_some)
            await world.publish([*started[1000:], *completed])
            await world.drained()
            signals = await everything_is_told(world)
    assert_one_after_the_other(spans_of(signals))
    assert len({told.worker for told in signals}) == 2
    assert sums_of(merged(signals)) == (await rows_of(world)).tally(spans_of(signals)).sums
