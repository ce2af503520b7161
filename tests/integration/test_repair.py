"""What is deleted by hand is named by the audit and put back from Kafka, as it was, while the worker runs."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.structs import TopicPartition

from adapters.environment.settings import KafkaSettings, PostgresSettings
from adapters.kafka.broker import Broker
from adapters.kafka.past_records import past_records
from adapters.kafka.producer import RecordProducer
from adapters.kafka.publisher import Publisher
from adapters.kafka.topics import ensure_topics
from adapters.postgres.connection.pool import open_pool
from adapters.postgres.stream.store import Streams
from domain.entities.audits import AuditReport
from domain.entities.repairs import PartitionRepair, Restored
from domain.entities.streams import Span
from domain.features import CityClock
from domain.ports import ScoringModel
from domain.quality import TripRules
from stream.commit import Commit
from stream.encode import committed_by, encode
from stream.metrics import Metrics
from stream.repair_bootstrap import audit, repair
from stream.score_events import Fetched, ScoreEvents, Scorers
from stream.settings import RepairSettings
from stream.traces import Traces
from tests.fakes.champion import ArithmeticModel
from tests.running import World, events_of, until, world_of
from tests.trips import random_trips

TRIPS = 400
SNAPSHOT = {
    "trips": "select trip_id, vendor_id, pickup_at, partition, record_offset, published_at, traceparent from trips order by 1",
    "completions": "select trip_id, pickup_at, dropoff_at, early, partition, record_offset from completions order by 1",
    "predictions": "select * from predictions order by trip_id, role",
    "dead_letters": """select partition, record_offset, record_at, key, value, header_names, header_values, reason, detail
        from dead_letters order by 1, 2""",
    "skipped": "select partition, first_offset, last_offset, reason, trip_id from skipped_records order by 1, 2",
    "offsets": "select partition, start_offset, next_offset, published_offset from stream_offsets order by 1",
}


@dataclass
class Shelf:
    """Implements `stream.repair_ports.NamedModels` with the models of the worker of tests."""

    lost: tuple[int, ...] = ()

    async def version(self, number: int) -> ScoringModel | None:
        return None if number in self.lost else ArithmeticModel(number)


class Repaired(World):
    """A world whose audit and repair a test may ask for."""

    @property
    def settings(self) -> RepairSettings:
        return RepairSettings(kafka=self.kafka, database=self.database, topic_prefix=self.prefix, data=self.folder / "data")

    async def audited(self) -> AuditReport:
        report, silent = await audit(self.settings)
        assert silent is None
        return report

    async def repaired(self, shelf: Shelf | None = None) -> list[PartitionRepair]:
        return await repair(self.settings, await self.audited(), "a test", shelf or Shelf())

    async def snapshot(self) -> dict[str, list[tuple[object, ...]]]:
        return {name: [tuple(row) for row in await self.rows(query)] for name, query in SNAPSHOT.items()}


async def _handle(world: World, champion: int, shadow: int | None = None) -> None:
    """What a worker does with all that is there, in this process."""
    broker, topic = Broker(world.kafka), f"{world.prefix}trip-events"
    pool = await open_pool(PostgresSettings(database=world.database))
    store, score = Streams(pool), ScoreEvents(TripRules(), CityClock("America/New_York"))
    metrics = Metrics()
    async with past_records(broker, topic) as past, RecordProducer(broker) as producer:
        output = Publisher(producer, world.prefix, "trip-events", "trip-predictions", "trip-quarantine")
        source_id = await store.register(await past.source())
        for number in await past.partitions():
            start, end = await past.limits(number)
            first = (await store.open_partition(source_id, number, start)).next_offset
            records = [record async for record in past.records(number, first, end)]
            scorers = Scorers(ArithmeticModel(champion), ArithmeticModel(shadow) if shadow else None)
            prepared = score(Fetched({number: records}, (Span(number, first, end),)), scorers)
            receipt = await Commit(store, output, metrics, Traces(metrics, None), source_id, prepared)()
            await output.predictions(*encode(committed_by(prepared.batch, receipt)))
            await store.mark_published(source_id, {number: end})
    await pool.close()


@pytest.fixture
async def world(kafka_address: str, database: str, topic_prefix: str, tmp_path: Path) -> AsyncIterator[Repaired]:
    """Trips of two champions, their ends, a repeat and dead letters; the worker is gone."""
    async with world_of(kafka_address, database, topic_prefix, tmp_path) as plain:
        world = Repaired(plain.kafka, plain.database, plain.prefix, plain.folder, plain.started)
        started, completed = events_of(random_trips(TRIPS, seed=7))
        half = TRIPS // 2
        await world.publish([*started[:half], *completed[half : half + 5]])
        await world.send(b"x", b"{not JSON", partition=1, headers=[("who", b"me")])
        await _handle(world, champion=1)
        await world.publish([*completed[:10], *started[half:], *completed[10:half], started[0]])
        await world.send(b"y", None, partition=2)
        await _handle(world, champion=2, shadow=1)
        assert (await world.audited()).ok
        yield world


def _put_back(done: list[PartitionRepair]) -> Restored:
    each = [one.restored for one in done]
    return Restored(*(sum(getattr(one, name) for one in each) for name in Restored.__match_args__))


async def _expired(world: World, topic: str) -> None:
    """Retention has taken all of it."""
    admin = AIOKafkaAdminClient(bootstrap_servers=world.kafka)
    await admin.start()
    try:
        parts = [TopicPartition(f"{world.prefix}{topic}", number) for number in range(3)]
        await admin.delete_records({part: RecordsToDelete(before_offset=-1) for part in parts})
    finally:
        await admin.close()


async def test_rows_of_every_kind_are_put_back_as_they_were(world: Repaired) -> None:
    before = await world.snapshot()
    victims = await world.rows("select trip_id, partition, record_offset from trips order by md5(trip_id) limit 20")
    ids = [row["trip_id"] for row in victims]
    await world.rows("delete from trips where trip_id = any($1::text[])", ids)
    await world.rows("delete from predictions where role = 'champion' and trip_id = any($1::text[])", ids[:15])  # five stay
    early = await world.rows("select trip_id from completions where early limit 3")
    assert len(early) == 3
    ended = [before["completions"][3][0], *ids[:4], *(row[0] for row in early)]
    await world.rows("delete from completions where trip_id = any($1::text[])", ended)
    await world.rows("delete from dead_letters")
    await world.rows("delete from skipped_records")
    report = await world.audited()
    named = {(each.partition, at) for each in report.partitions for a, b in each.gaps for at in range(a, b + 1)}
    assert {(row["partition"], row["record_offset"]) for row in victims} < named
    done = await world.repaired()
    put = _put_back(done)
    assert (put.trips, put.predictions, put.dead_letters, put.skipped) == (20, 15, 2, 1)
    assert put.original == 15
    assert await world.snapshot() == before
    assert (await world.audited()).ok
    assert _put_back(await repair(world.settings, report, "the same again", Shelf())).rows == 0  # of a report that is old


async def test_a_prediction_deleted_alone_is_put_back_with_its_moment(world: Repaired) -> None:
    before = await world.snapshot()
    await world.rows(
        "delete from predictions where role = 'champion' and trip_id in (select trip_id from trips order by 1 limit 9)"
    )
    report = await world.audited()
    assert (
        sum(each.unpredicted for each in report.partitions) == sum(len(each.unpredicted_at) for each in report.partitions) == 9
    )
    assert _put_back(await world.repaired()) == Restored(predictions=9, original=9)
    assert await world.snapshot() == before


async def test_what_is_not_published_any_more_is_scored_by_the_neighbours_version(world: Repaired) -> None:
    before = await world.snapshot()
    await _expired(world, "trip-predictions")
    await world.rows(
        """with edges as (
            select partition, unnest(array[
                min(record_offset), max(record_offset), max(record_offset) filter (where model_version = 1)
            ]) as at from predictions where role = 'champion' group by 1
        ),
        gone as (
            delete from predictions where role = 'champion' and (partition, record_offset) in (select * from edges)
            returning trip_id
        ) delete from trips where trip_id in (select trip_id from gone)"""
    )
    done = await world.repaired()
    assert _put_back(done) == Restored(trips=9, predictions=9)
    assert all(each.versions == [1, 2] for each in done)
    after = await world.snapshot()
    moments = [(row[:7], row[8:]) for row in before["predictions"]]  # all but scored_at, which is the repair's
    assert [(row[:7], row[8:]) for row in after["predictions"]] == moments
    assert after["trips"] == before["trips"]
    assert (await world.audited()).ok


async def test_what_cannot_be_put_back_says_why_and_stays_a_fault(world: Repaired) -> None:
    [victim] = await world.rows("delete from completions where trip_id = (select min(trip_id) from completions) returning *")
    await world.rows("delete from predictions where role = 'champion' and partition = 2")
    await world.rows("delete from predictions where role = 'champion' and partition = 1")
    await world.rows("delete from stream_offsets where partition = 1")
    await _expired(world, "trip-predictions")
    await _expired(world, "trip-events")
    done = await world.repaired(Shelf(lost=(1, 2)))
    whys = {(each.partition, each.why.partition(":")[0]) for one in done for each in one.unrepairable}
    assert (victim["partition"], "expired") in whys
    assert (2, "no neighbour names a model version that can be loaded") in whys
    assert (1, "outside the offsets that were read") in whys
    report = await world.audited()
    assert not report.ok


async def test_a_topic_that_was_made_anew_gives_nothing_for_the_old_one(world: Repaired) -> None:
    await world.rows("delete from completions where trip_id = (select min(trip_id) from completions)")
    await world.rows("delete from predictions where role = 'champion' and trip_id = (select min(trip_id) from trips)")
    admin = AIOKafkaAdminClient(bootstrap_servers=world.kafka)
    await admin.start()
    await admin.delete_topics([f"{world.prefix}trip-events"])
    await admin.close()
    await until(lambda: _made(world))
    done = await world.repaired()
    assert {each.why.partition(":")[0] for one in done for each in one.unrepairable} == {"other topic"}
    assert _put_back(done) == Restored(predictions=1, original=1)


async def _made(world: World) -> bool:
    return bool(await ensure_topics(KafkaSettings(kafka=world.kafka, topic_prefix=world.prefix, partitions=3)))


async def test_a_repair_is_recorded_with_who_and_why(world: Repaired) -> None:
    await world.rows("delete from completions where trip_id = (select min(trip_id) from completions)")
    await world.repaired()
    [event] = await world.rows("select * from lifecycle_events where kind = 'stream.repaired'")
    assert event["reason"] == "a test"
    assert event["actor"]
    assert '"completions": 1' in event["details"]


async def test_two_repairs_beside_a_worker_put_each_row_back_once(world: Repaired) -> None:
    await world.rows("delete from trips where trip_id in (select trip_id from trips order by md5(trip_id) limit 50)")
    await world.publish(events_of(random_trips(3000, seed=8))[0])
    first, second, _ = await asyncio.gather(world.repaired(), world.repaired(), _handle(world, champion=2))
    assert _put_back(first).trips + _put_back(second).trips == 50  # each row is put back by one of the two
    assert (await world.audited()).ok
    assert await world.unaccounted() == []
