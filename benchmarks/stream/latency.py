"""From sending an event to its committed row, at a steady rate: the sender's clock and PostgreSQL's commit times."""

import asyncio
import time
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from adapters.kafka.broker import Broker
from adapters.kafka.producer import RecordProducer
from benchmarks.stream.events import Events
from benchmarks.stream.ours import drained, empty
from benchmarks.world import World
from cli.embedded.ports import free_ports

PREFIX = "paced-"
TICK_SECONDS = 0.01
WARM_UP_SECONDS = 3.0
ROWS = """
select trip_id, extract(epoch from pg_xact_commit_timestamp(xmin))::float8, kind from (
    select trip_id, xmin, 'trip.started' as kind from trips where source_id is not null
    union all
    select trip_id, xmin, 'trip.completed' from completions where source_id is not null
) as committed
"""


def run(world: World, events: Events, paces: Mapping[int, int]) -> dict[int, dict[str, float]]:
    """By rate: milliseconds, and the rate that was really sent. `paces`: seconds at each rate, one after the other."""
    return asyncio.run(_run(world, events, paces))


def needed(paces: Mapping[int, int]) -> int:
    """How many events a run takes."""
    return sum(int(rate * (WARM_UP_SECONDS + seconds)) for rate, seconds in paces.items())


async def _run(world: World, events: Events, paces: Mapping[int, int]) -> dict[int, dict[str, float]]:
    await empty(world)
    await world.topics(PREFIX)
    port = str(free_ports(1)[0])
    measured = {}
    with world.process("paced.log", "-m", "cli", "worker", TRIPCAST_TOPIC_PREFIX=PREFIX, TRIPCAST_WORKER_PORT=port):
        async with RecordProducer(Broker(world.kafka)) as producer:
            topic = f"{PREFIX}trip-events"
            for rate, seconds in paces.items():
                warm = int(rate * WARM_UP_SECONDS)
                await send(producer, topic, events.first(warm), rate)
                await drained(world, PREFIX)
                sent, took = await send(producer, topic, events.after(warm).first(rate * seconds), rate)
                await drained(world, PREFIX)
                events = events.after(warm + rate * seconds)
                measured[rate] = percentiles(await _waits(world, sent)) | {"sent_per_second": len(sent) / took}
    return measured


def percentiles(waits: NDArray[np.float64]) -> dict[str, float]:
    """Of milliseconds, shape (n,)."""
    p50, p99, p999 = np.quantile(waits, (0.5, 0.99, 0.999))
    return {"p50": p50, "p99": p99, "p999": p999, "max": waits.max(), "events": float(len(waits))}


async def send(producer: RecordProducer, topic: str, events: Events, rate: int) -> tuple[dict[tuple[str, str], float], float]:
    """Send a few events each tick; returns when each was sent (wall clock), and how long it took."""
    sent: dict[tuple[str, str], float] = {}
    began, done = time.monotonic(), 0
    while done < len(events):
        due = min(int((time.monotonic() - began) * rate) + 1, len(events))
        if due > done:
            now = time.time()
            keys, values = events.keys[done:due], events.values[done:due]
            sent |= {(key.decode(), _kind(value)): now for key, value in zip(keys, values, strict=True)}
            await producer.publish(topic, keys, values)
            done = due
        await asyncio.sleep(TICK_SECONDS)
    return sent, time.monotonic() - began


def _kind(value: bytes) -> str:
    return "trip.started" if b"trip.started" in value else "trip.completed"


async def _waits(world: World, sent: dict[tuple[str, str], float]) -> NDArray[np.float64]:
    rows = await world.fetch(ROWS)
    return np.array([(row[1] - sent[row[0], row[2]]) * 1000 for row in rows if (row[0], row[2]) in sent])
