"""The bare loop: the least code that reads, decodes, scores, stores and publishes the same events in batches.

No quarantine, no rules, no repeats, no metrics, no intervals, no recovery: what is left when all that tripcast is for has
been taken away. One consumer, one connection, one batch after the other: the yardstick for the cost of our promises.
"""

import argparse
import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import asyncpg
import msgspec
import numpy as np
import onnxruntime
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from domain.entities.trips import TIME, TripColumns
from domain.features import CityClock, features_of
from schemas.events import TripCompleted, TripEvent, TripStarted

TABLES = """
drop table if exists bare_trips, bare_predictions, bare_offsets;
create table bare_trips (trip_id text primary key, vendor_id smallint, passenger_count smallint, pickup_at timestamptz,
    pickup_latitude float8, pickup_longitude float8, dropoff_latitude float8, dropoff_longitude float8, dropoff_at timestamptz);
create table bare_predictions (trip_id text primary key, model_version int, duration_seconds real, scored_at timestamptz);
create table bare_offsets (partition int primary key, next_offset bigint);
"""
INSERT_TRIPS = """insert into bare_trips (trip_id, vendor_id, passenger_count, pickup_at, pickup_latitude, pickup_longitude,
    dropoff_latitude, dropoff_longitude) select * from unnest($1::text[], $2::smallint[], $3::smallint[], $4::timestamptz[],
    $5::float8[], $6::float8[], $7::float8[], $8::float8[]) on conflict do nothing"""
INSERT_PREDICTIONS = """insert into bare_predictions select t, 1, d, $3 from unnest($1::text[], $2::real[]) as p (t, d)
    on conflict do nothing"""
COMPLETE = (
    "update bare_trips set dropoff_at = c.at from unnest($1::text[], $2::timestamptz[]) as c (id, at) where trip_id = c.id"
)
ADVANCE = """insert into bare_offsets select * from unnest($1::int[], $2::bigint[]) on conflict (partition)
    do update set next_offset = excluded.next_offset"""


async def run(arguments: argparse.Namespace) -> dict[str, float]:
    """Read everything that is in the topic now; returns counts and the rate between the first and the last commit."""
    session = _session(arguments.model)
    connection = await asyncpg.connect(arguments.database)
    await connection.execute(TABLES)
    consumer = AIOKafkaConsumer(
        bootstrap_servers=arguments.kafka,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_partition_fetch_bytes=4 << 20,
    )
    producer = AIOKafkaProducer(bootstrap_servers=arguments.kafka, linger_ms=0)
    await consumer.start()
    await producer.start()
    try:
        partitions = [TopicPartition(arguments.topic, number) for number in range(arguments.partitions)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        total = sum((await consumer.end_offsets(partitions)).values())
        return await _loop(consumer, producer, connection, session, total, arguments)
    finally:
        await consumer.stop()
        await producer.stop()
        await connection.close()


async def _loop(
    consumer: Any, producer: Any, connection: Any, session: Any, total: int, arguments: argparse.Namespace
) -> dict[str, float]:
    decoder, clock, commits, done = msgspec.json.Decoder(TripEvent), CityClock(), [], 0
    while done < total:
        fetched = await consumer.getmany(timeout_ms=1000, max_records=arguments.batch)
        records = [record for batch in fetched.values() for record in batch]
        if not records:
            continue
        events = [decoder.decode(record.value) for record in records]
        started = [event for event in events if type(event) is TripStarted]
        seconds = session.run(None, {session.get_inputs()[0].name: features_of(_columns(started), clock)})[0].ravel()
        scored_at = datetime.now(UTC)
        async with connection.transaction():
            await _store(connection, started, [event for event in events if type(event) is TripCompleted], seconds, scored_at)
            positions = {partition.partition: batch[-1].offset + 1 for partition, batch in fetched.items()}
            await connection.execute(ADVANCE, list(positions), list(positions.values()))
        commits.append((asyncio.get_running_loop().time(), len(records)))
        await _publish(producer, arguments.output, started, seconds, scored_at)
        done += len(records)
    return _rate(commits)


async def _store(
    connection: Any, started: list[TripStarted], completed: list[TripCompleted], seconds: Any, at: datetime
) -> None:
    ids = [trip.trip_id for trip in started]
    await connection.execute(
        INSERT_TRIPS,
        ids,
        [trip.vendor_id for trip in started],
        [trip.passenger_count for trip in started],
        [trip.pickup_at for trip in started],
        [trip.pickup.latitude for trip in started],
        [trip.pickup.longitude for trip in started],
        [trip.dropoff.latitude for trip in started],
        [trip.dropoff.longitude for trip in started],
    )
    await connection.execute(INSERT_PREDICTIONS, ids, seconds.tolist(), at)
    await connection.execute(COMPLETE, [trip.trip_id for trip in completed], [trip.dropoff_at for trip in completed])


async def _publish(producer: Any, topic: str, started: list[TripStarted], seconds: Any, at: datetime) -> None:
    encode, batch, stamp = msgspec.json.encode, producer.create_batch(), at.isoformat()
    deliveries = []
    for trip, duration in zip(started, seconds.tolist(), strict=True):
        key = trip.trip_id.encode()
        value = encode({"trip_id": trip.trip_id, "duration_seconds": duration, "model_version": 1, "scored_at": stamp})
        if batch.append(key=key, value=value, timestamp=None) is None:
            batch.close()
            deliveries.append(await producer.send_batch(batch, topic, partition=0))
            batch = producer.create_batch()
            batch.append(key=key, value=value, timestamp=None)
    batch.close()
    deliveries.append(await producer.send_batch(batch, topic, partition=0))
    await asyncio.gather(*deliveries)


def _columns(started: list[TripStarted]) -> TripColumns:
    return TripColumns(
        np.array([trip.trip_id for trip in started], dtype=object),
        np.array([trip.vendor_id for trip in started], dtype=np.int16),
        np.array([trip.passenger_count for trip in started], dtype=np.int16),
        np.array([int(trip.pickup_at.timestamp() * 1e6) for trip in started]).astype(TIME),
        np.array([trip.pickup.latitude for trip in started]),
        np.array([trip.pickup.longitude for trip in started]),
        np.array([trip.dropoff.latitude for trip in started]),
        np.array([trip.dropoff.longitude for trip in started]),
    )


def _session(model: str) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _rate(commits: list[tuple[float, int]]) -> dict[str, float]:
    """Events after the first commit over the time since it: start-up counts for nobody."""
    events, seconds = sum(count for _, count in commits[1:]), commits[-1][0] - commits[0][0]
    return {"events": events, "seconds": seconds, "events_per_second": events / seconds}


def main() -> None:
    """Run as a process of its own, like the worker that it is compared with; prints one JSON line."""
    parser = argparse.ArgumentParser()
    for name in ("kafka", "database", "topic", "output", "model"):
        parser.add_argument(f"--{name}", required=True)
    parser.add_argument("--partitions", type=int, required=True)
    parser.add_argument("--batch", type=int, default=5000)
    print(json.dumps(asyncio.run(run(parser.parse_args()))))


if __name__ == "__main__":
    main()
