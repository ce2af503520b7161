"""An outage of the worker while trips go on: how fast it catches up, and how its memory stands under the load afterwards."""

import asyncio
import time
from dataclasses import dataclass, field

import numpy as np
import psutil

from adapters.kafka.broker import Broker
from adapters.kafka.producer import RecordProducer
from adapters.kafka.topics import end_offsets
from benchmarks.scale.workers import running
from benchmarks.stream.events import Events
from benchmarks.stream.latency import send
from benchmarks.stream.ours import empty
from benchmarks.world import World

RATE = 2_000  # live events a second
CAUGHT_UP = RATE // 5  # events: a fifth of a second
DEADLINE_SECONDS = 120
SAMPLE_SECONDS = 0.25


@dataclass(slots=True)
class Standing:
    """What was seen: seconds since the worker's process began, events committed, events in the topic, resident MB."""

    seconds: list[float] = field(default_factory=list)
    committed: list[int] = field(default_factory=list)
    published: list[int] = field(default_factory=list)
    rss_mb: list[float] = field(default_factory=list)

    def caught_up(self) -> int | None:
        """The first sample at which nothing but the last moment's events was left."""
        pairs = zip(self.committed, self.published, strict=True)
        return next((number for number, (done, there) in enumerate(pairs) if there - done <= CAUGHT_UP), None)


def measured(world: World, prefix: str, backlog: Events, live: Events, steady_seconds: int) -> dict[str, float]:
    """Seconds from the start of the worker until it has caught up, its rate meanwhile, and its memory from there on."""
    return asyncio.run(_measured(world, prefix, backlog, live, steady_seconds))


def concluded(standing: Standing) -> dict[str, float]:
    """Raises ValueError when it never caught up."""
    end = standing.caught_up()
    if end is None:
        raise ValueError(f"not caught up after {standing.seconds[-1]:.0f} s")
    first = next(number for number, done in enumerate(standing.committed) if done)
    seconds = standing.seconds[end] - standing.seconds[max(first - 1, 0)]
    return {
        "catch_up_seconds": standing.seconds[end],
        "catch_up_events_per_second": standing.committed[end] / seconds,
        "rss_mb": standing.rss_mb[-1],
        "rss_mb_per_hour": slope_per_hour(standing.seconds[end:], standing.rss_mb[end:]),
    }


def slope_per_hour(seconds: list[float], values: list[float]) -> float:
    """Least squares."""
    return float(np.polyfit(np.array(seconds) / 3600, values, 1)[0])


async def _measured(world: World, prefix: str, backlog: Events, live: Events, steady_seconds: int) -> dict[str, float]:
    await empty(world)
    await world.topics(prefix)
    async with RecordProducer(Broker(world.kafka)) as producer:
        await producer.publish(f"{prefix}trip-events", backlog.keys, backlog.values)
        sending = asyncio.create_task(send(producer, f"{prefix}trip-events", live, RATE))
        try:
            standing = await _watched(world, prefix, steady_seconds)
        finally:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)
    return concluded(standing)


async def _watched(world: World, prefix: str, steady_seconds: int) -> Standing:
    standing, began = Standing(), time.monotonic()
    with running(world, prefix, 1) as [worker]:
        process = psutil.Process(worker.pid)
        end = began + DEADLINE_SECONDS
        while (now := time.monotonic()) < end:
            [[committed]] = await world.fetch("select coalesce(sum(next_offset), 0)::bigint from stream_offsets")
            there = sum((await end_offsets(Broker(world.kafka), f"{prefix}trip-events")).values())
            standing.seconds.append(now - began)
            standing.committed.append(committed)
            standing.published.append(there)
            standing.rss_mb.append(process.memory_info().rss / 1e6)
            if standing.caught_up() == len(standing.seconds) - 1:
                end = now + steady_seconds
            await asyncio.sleep(SAMPLE_SECONDS)
    return standing
