"""FastStream 0.7 with a batch subscriber: a message is a batch, decoded by msgspec, scored in one call, inserted by `unnest`.

As its documents recommend for throughput: `batch=True`, a decoder of one's own, `apply_types=False`, no logger, predictions
by `publish_batch`. Offsets are committed after the handler (`AckPolicy.ACK`); a repeat inserts nothing.
"""

import argparse
import asyncio
import json
from datetime import UTC, datetime

import asyncpg
import msgspec
import numpy as np
from faststream import AckPolicy
from faststream.kafka import KafkaBroker, KafkaMessage
from numpy.typing import NDArray

from benchmarks.stream.rate import Commits
from benchmarks.stream.rivals.arguments import parser
from benchmarks.stream.scoring import scorer
from benchmarks.stream.tables import INSERT_COMPLETIONS, TABLES, insert_started, write_completed
from schemas.events import TripCompleted, TripEvent, TripStarted

PREFIX = "faststream"
LARGEST_BATCH_BYTES = 1_000_000  # what the broker takes at once by default
PUBLISHED_AT_ONCE = 2_000  # predictions, so that they fit into it

_decode = msgspec.json.Decoder(TripEvent).decode
_encode = msgspec.json.Encoder().encode


async def run(arguments: argparse.Namespace) -> dict[str, float]:
    """Read everything once."""
    score, commits, finished = scorer(arguments.model), Commits(), asyncio.Event()
    pool = await asyncpg.create_pool(arguments.database, min_size=1, max_size=1)
    await pool.execute(TABLES.format(PREFIX))
    broker = KafkaBroker(arguments.kafka, apply_types=False, logger=None, max_batch_size=LARGEST_BATCH_BYTES)

    @broker.subscriber(  # type: ignore[untyped-decorator]
        arguments.topic,
        group_id=f"faststream-{datetime.now(UTC):%H%M%S%f}",
        batch=True,
        max_records=arguments.batch,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.ACK,
        max_partition_fetch_bytes=4 << 20,
        decoder=_decoded,
    )
    async def handle(events: list[TripStarted | TripCompleted]) -> None:
        started = [event for event in events if type(event) is TripStarted]
        completed = [event for event in events if type(event) is TripCompleted]
        seconds, scored_at = score(started), datetime.now(UTC)
        async with pool.acquire() as connection, connection.transaction():
            await insert_started(connection, PREFIX, started, seconds, scored_at)
            await write_completed(connection, PREFIX, completed, INSERT_COMPLETIONS)
        commits.add(len(events))
        await _publish(broker, arguments.output, started, seconds, scored_at)
        if commits.events >= arguments.events:
            finished.set()

    await broker.start()
    await finished.wait()
    await broker.stop()
    await pool.close()
    return commits.rate()


async def _decoded(message: KafkaMessage) -> list[TripStarted | TripCompleted]:
    return [_decode(body) for body in message.body]


async def _publish(
    broker: KafkaBroker, topic: str, started: list[TripStarted], seconds: NDArray[np.float32], at: datetime
) -> None:
    stamp = at.isoformat()
    rows = zip(started, seconds.tolist(), strict=True)
    values = [
        _encode({"trip_id": trip.trip_id, "duration_seconds": duration, "model_version": 1, "scored_at": stamp})
        for trip, duration in rows
    ]
    for first in range(0, len(values), PUBLISHED_AT_ONCE):
        await broker.publish_batch(*values[first : first + PUBLISHED_AT_ONCE], topic=topic)


def main() -> None:
    """Prints one JSON line."""
    print(json.dumps(asyncio.run(run(parser().parse_args()))))


if __name__ == "__main__":
    main()
