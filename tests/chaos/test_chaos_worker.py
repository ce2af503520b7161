"""Faults against the worker under load: nothing lost, nothing twice, and the checker is the judge."""

import asyncio
import random
import signal

import pytest

from adapters.kafka.broker import Broker
from adapters.kafka.topics import end_offsets
from tests.chaos.conftest import verdict
from tests.chaos.journal import Journal
from tests.chaos.load import AT_ONCE, DRAIN_SECONDS, in_turn, send
from tests.running import Worker, World, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(240)]
RATE = 1_500.0


async def _stored(world: World) -> int:
    return int((await world.rows("select coalesce(sum(next_offset), 0) from stream_offsets"))[0][0])


async def test_ten_kills_at_random_moments_lose_and_double_nothing(world: World) -> None:
    journal, chance = Journal(), random.Random(7)  # noqa: S311 - a reproducible schedule
    topic = f"{world.prefix}trip-events"
    events = in_turn(10_000, seed=1)
    sending = asyncio.create_task(send(world.kafka, topic, events, journal, RATE))
    workers = [world.start_worker(), world.start_worker()]
    for _ in range(10):
        before = await _stored(world)
        await until(lambda: _moved(world, before), DRAIN_SECONDS)  # noqa: B023 - awaited at once
        await asyncio.sleep(chance.uniform(0.0, 0.3))  # the moment is the fault
        victim = chance.randrange(2)
        workers[victim].signal(signal.SIGKILL)
        await workers[victim].ended()
        workers[victim] = world.start_worker()
    await sending
    await world.drained(DRAIN_SECONDS)
    assert len(journal.sent) == len(events)
    assert await verdict(world, journal) == []
    assert await world.count("dead_letters") == 0


async def _moved(world: World, before: int) -> bool:
    ends = await end_offsets(Broker(world.kafka), f"{world.prefix}trip-events")
    stored = await _stored(world)
    return stored > before or stored == sum(ends.values())


async def test_a_frozen_worker_that_comes_back_changes_nothing(world: World) -> None:
    """It is frozen in the middle of a backlog, with batches in hand; when it comes back, its partitions have moved on."""
    journal = Journal()
    topic = f"{world.prefix}trip-events"
    await send(world.kafka, topic, in_turn(12_000, seed=2), journal, AT_ONCE)
    frozen = world.start_worker(TRIPCAST_WORKER_BATCH="400")
    await until(lambda: _moved(world, 0), DRAIN_SECONDS)
    frozen.signal(signal.SIGSTOP)
    assert await _stored(world) < len(journal.sent)
    world.start_worker()  # gets the partitions once the group has given the frozen one up
    await world.drained(DRAIN_SECONDS)
    frozen.signal(signal.SIGCONT)
    await until(lambda: _noticed(frozen), DRAIN_SECONDS)
    await send(world.kafka, topic, in_turn(500, seed=3), journal, RATE)
    await world.drained(DRAIN_SECONDS)
    assert await verdict(world, journal) == []


async def _noticed(worker: Worker) -> bool:
    """Whether what it had in hand was refused by the stored offsets."""
    return any("stored up to" in event["why"] for event in worker.events("batch_dropped"))
