"""Workers that are killed under load, or die: promise 1's run, which promise 2 takes as its beginning."""

import asyncio
import random
import signal

from adapters.kafka.broker import Broker
from adapters.kafka.topics import end_offsets
from tests.chaos.journal import Journal
from tests.chaos.load import DRAIN_SECONDS, in_turn, send
from tests.running import World, until


async def ten_kills(world: World, *, trips: int, workers: int, apart_seconds: float, per_second: float, seed: int) -> Journal:
    """Send the events of so many trips, kill a random worker ten times, drain. Each kill finds workers that are writing."""
    journal, chance = Journal(), random.Random(seed)  # noqa: S311 - a reproducible schedule
    events = in_turn(trips, seed)
    sending = asyncio.create_task(send(world.kafka, f"{world.prefix}trip-events", events, journal, per_second))
    running = [world.start_worker() for _ in range(workers)]
    for _ in range(10):
        before = await stored(world)
        await until(lambda: moved(world, before), DRAIN_SECONDS)  # noqa: B023 - awaited at once
        await asyncio.sleep(apart_seconds + chance.uniform(0.0, 0.3))  # the moment is the fault
        victim = chance.randrange(workers)
        running[victim].signal(signal.SIGKILL)
        await running[victim].ended()
        running[victim] = world.start_worker()
    await sending
    await world.drained(DRAIN_SECONDS)
    assert len(journal.sent) == len(events)
    return journal


async def stored(world: World) -> int:
    """How many offsets are accounted for, of all partitions together."""
    return int((await world.rows("select coalesce(sum(next_offset), 0) from stream_offsets"))[0][0])


async def moved(world: World, before: int) -> bool:
    """Whether more offsets than `before` are stored, or all."""
    ends = await end_offsets(Broker(world.kafka), f"{world.prefix}trip-events")
    now = await stored(world)
    return now > before or now == sum(ends.values())


async def died(world: World, **environment: str) -> bool:
    """Whether a new worker dies before the topic is drained."""
    worker = world.start_worker(**environment)
    ended, drained = asyncio.create_task(worker.ended()), asyncio.create_task(world.drained(DRAIN_SECONDS))
    done, _ = await asyncio.wait({ended, drained}, return_when=asyncio.FIRST_COMPLETED)
    for task in {ended, drained} - done:
        task.cancel()
    return ended in done
