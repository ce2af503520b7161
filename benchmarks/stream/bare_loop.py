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
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from numpy.typing import NDArray

from benchmarks.stream.rate import Commits
from benchmarks.stream.scoring import Score, scorer
from benchmarks.stream.tables import ADVANCE, COMPLETE, TABLES, insert_started, write_completed
from schemas.events import TripCompleted, TripEvent, TripStarted

PREFIX = "bare"


async def run(arguments: argparse.Namespace) -> dict[str, float]:
    """Read everything that is in the topic now; returns counts and the rate between the first and the last commit."""
    score = scorer(arguments.model)
    connection = await asyncpg.connect(arguments.database)
    await connection.execute(TABLES.format(PREFIX))
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
        return await _loop(consumer, producer, connection, score, total, arguments)
    finally:
        await consumer.stop()
        await producer.stop()
        await connection.close()


async def _loop(
    consumer: Any, producer: Any, connection: Any, score: Score, total: int, arguments: argparse.Namespace
) -> dict[str, float]:
    decoder, commits = msgspec.json.Decoder(TripEvent), Commits()
    while commits.events < total:
        fetched = await consumer.getmany(timeout_ms=1000, max_records=arguments.batch)
        records = [record for batch in fetched.values() for record in batch]
        if not records:
            continue
        events = [decoder.decode(record.value) for record in records]
        started = [event for event in events if type(event) is TripStarted]
        completed = [event for event in events if type(event) is TripCompleted]
        seconds, scored_at = score(started), datetime.now(UTC)
        async with connection.transaction():
            await insert_started(connection, PREFIX, started, seconds, scored_at)
            await write_completed(connection, PREFIX, completed, COMPLETE)
            positions = {partition.partition: batch[-1].offset + 1 for partition, batch in fetched.items()}
            await connection.execute(ADVANCE.format(PREFIX), list(positions), list(positions.values()))
        commits.add(len(records))
        await _publish(producer, arguments.output, started, seconds, scored_at)
    return commits.rate()


async def _publish(producer: Any, topic: str, started: list[TripStarted], seconds: NDArray[np.float32], at: datetime) -> None:
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
