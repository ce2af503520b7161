"""A member that leaves is missed at once: the group need not wait until its session ends."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from adapters.environment.settings import KafkaSettings
from adapters.kafka.broker import Broker
from adapters.kafka.consumer import EventConsumer
from adapters.kafka.topics import ensure_topics
from tests.running import DEADLINE_SECONDS, until

ALL = frozenset(range(3))


@pytest.fixture
async def members(kafka_address: str, topic_prefix: str) -> AsyncIterator[list[EventConsumer]]:
    await ensure_topics(KafkaSettings(kafka=kafka_address, topic_prefix=topic_prefix, partitions=len(ALL)))
    members = [EventConsumer(Broker(kafka_address), f"{topic_prefix}trip-events", f"{topic_prefix}group") for _ in range(2)]
    yield members
    await asyncio.gather(*(member.close() for member in members))


async def test_who_is_stopped_while_the_group_is_being_formed_leaves_it(members: list[EventConsumer]) -> None:
    first, second = members
    busy = asyncio.Event()

    async def settles() -> None:
        await busy.wait()  # the group waits for the first, and the second for the group

    first.before_revoke = settles
    await first.open()
    await until(lambda: _has(first, ALL))
    await second.open()
    await until(lambda: _has(first, frozenset()))
    await until(lambda: _has_joined(second))
    await second.close()
    first.changed.clear()
    busy.set()
    await asyncio.wait_for(first.changed.wait(), DEADLINE_SECONDS)
    assert first.assigned == ALL  # not a part, and the other part at the end of the second's session


async def test_a_partition_without_a_place_to_begin_is_no_outage(members: list[EventConsumer]) -> None:
    """As in a rebalance: it is given to us while we fetch, and nobody has sought in it yet."""
    first, _ = members
    await first.open()
    await until(lambda: _has(first, ALL))
    for _ in range(5):
        assert await first.fetch(sorted(ALL), 10, 0.2) == {}


async def _has(member: EventConsumer, partitions: frozenset[int]) -> bool:
    return member.assigned == partitions


async def _has_joined(member: EventConsumer) -> bool:
    client = member._client
    return client is not None and client._coordinator.member_id != ""
