"""Positions that no longer fit the log: a named loss, a re-created topic, holes, and a log that has gone back."""

from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from tests.running import World, events_of, until, world_of
from tests.trips import random_trips


@pytest.fixture
async def world(kafka_address: str, database: str, topic_prefix: str, tmp_path: Path):
    async with world_of(kafka_address, database, topic_prefix, tmp_path) as world:
        yield world


async def test_events_that_retention_took_are_a_named_loss(world: World) -> None:
    trips, _ = events_of(random_trips(60))
    await _send(world, trips[:20])
    with world.worker():
        await world.drained()
    await _send(world, trips[20:])
    await _delete_before(world, 35)
    with world.worker() as worker:
        await world.drained()
        assert worker.events("range_lost")[0]["first_offset"] == 20
    [lost] = await world.rows("select partition, first_offset, last_offset, reason from skipped_records")
    assert tuple(lost) == (0, 20, 34, "lost")
    [event] = await world.rows("select * from lifecycle_events where kind = 'range_lost'")
    assert msgspec.json.decode(event["details"]) == {"partition": 0, "first_offset": 20, "last_offset": 34}
    assert await world.count("trips") == 45
    assert await world.unaccounted() == []


async def test_a_topic_that_lost_its_beginning_before_the_first_start_is_read_from_what_is_left(world: World) -> None:
    trips, _ = events_of(random_trips(30))
    await _send(world, trips)
    await _delete_before(world, 10)
    with world.worker():
        await world.drained()
    [row] = await world.rows("select start_offset, next_offset from stream_offsets where partition = 0")
    assert tuple(row) == (10, 30)
    assert await world.count("skipped_records") == 0


@pytest.mark.parametrize("running", [False, True], ids=["while stopped", "while running"])
async def test_a_recreated_topic_is_another_source_and_is_read_from_its_start(world: World, running: bool) -> None:
    trips, _ = events_of(random_trips(80))
    await _send(world, trips[:50])
    first = world.start_worker()
    await world.drained()
    if not running:
        first.process.terminate()
        assert await first.ended() == 0
    await _recreate(world)
    await _send(world, trips[40:])  # ten of them are repeats
    if not running:
        world.start_worker()

    async def second_source_is_drained() -> bool:
        rows = await world.rows(
            "select next_offset, published_offset from stream_offsets where source_id = 2 and partition = 0"
        )
        return [tuple(row) for row in rows] == [(40, 40)]

    await until(second_source_is_drained)
    [event] = await world.rows("select details from lifecycle_events where kind = 'topic_recreated'")
    assert msgspec.json.decode(event["details"])["previous_next_offsets"]["0"] == 50
    assert await world.count("trips") == 80
    assert await world.count("skipped_records") == 10
    assert await world.unaccounted() == []


async def test_transaction_markers_and_aborted_events_are_skipped_by_name(world: World) -> None:
    trips, _ = events_of(random_trips(30))
    producer = AIOKafkaProducer(bootstrap_servers=world.kafka, transactional_id=f"{world.prefix}producer")
    await producer.start()
    try:
        await _transaction(world, producer, trips[:10], commit=True)
        await _transaction(world, producer, trips[10:20], commit=False)
        await _transaction(world, producer, trips[20:], commit=True)
    finally:
        await producer.stop()
    with world.worker():
        await world.drained()
    skipped = await world.rows("select first_offset, last_offset, reason from skipped_records order by 1")
    assert {row["reason"] for row in skipped} == {"no_record"}
    assert sum(row["last_offset"] - row["first_offset"] + 1 for row in skipped) == 3 + 10
    assert {row[0] for row in await world.rows("select trip_id from trips")} == {
        trip.trip_id for trip in [*trips[:10], *trips[20:]]
    }
    assert await world.unaccounted() == []


async def test_a_log_that_ends_below_the_stored_offset_stops_the_worker_in_words(world: World) -> None:
    trips, _ = events_of(random_trips(10))
    await _send(world, trips)
    with world.worker():
        await world.drained()
    await world.rows("update stream_offsets set next_offset = 1000, published_offset = 1000 where partition = 0")
    worker = world.start_worker()
    assert await worker.ended() != 0
    assert "below the stored offset 1000" in worker.log.read_text()


async def test_another_workers_write_fences_what_is_in_hand(world: World) -> None:
    """Somebody advances the stored offset behind the worker's back: it drops its batch, reads the positions, goes on there."""
    trips, _ = events_of(random_trips(40))
    await _send(world, trips[:20])
    with world.worker() as worker:
        await world.drained()
        await world.rows("update stream_offsets set next_offset = 30, published_offset = 30 where partition = 0")
        await _send(world, trips[20:])
        await world.drained()
        assert worker.events("batch_dropped")
    stored = {row[0] for row in await world.rows("select record_offset from trips")}
    assert stored == {*range(20), *range(30, 40)}


async def _send(world: World, trips, partition: int = 0) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=world.kafka)
    await producer.start()
    try:
        for trip in trips:
            key, value = trip.trip_id.encode(), msgspec.json.encode(trip)
            sent = await producer.send(f"{world.prefix}trip-events", value, key, partition=partition)
        await sent
    finally:
        await producer.stop()


async def _transaction(world: World, producer: AIOKafkaProducer, trips, *, commit: bool) -> None:
    await producer.begin_transaction()
    for trip in trips:
        key, value = trip.trip_id.encode(), msgspec.json.encode(trip)
        await producer.send(f"{world.prefix}trip-events", value, key, partition=0)
    await (producer.commit_transaction() if commit else producer.abort_transaction())


async def _delete_before(world: World, offset: int) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=world.kafka)
    await admin.start()
    try:
        await admin.delete_records({TopicPartition(f"{world.prefix}trip-events", 0): RecordsToDelete(before_offset=offset)})
    finally:
        await admin.close()


async def _recreate(world: World) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=world.kafka)
    await admin.start()
    try:
        await admin.delete_topics([f"{world.prefix}trip-events"])

        async def gone() -> bool:
            return f"{world.prefix}trip-events" not in await admin.list_topics()

        await until(gone)
        await world.prepare()
    finally:
        await admin.close()
