"""Where a topic ends, asked again and again: right, over a broker that comes late, and over connections that break."""

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest

from adapters.environment.settings import KafkaSettings
from adapters.kafka.broker import Broker
from adapters.kafka.producer import RecordProducer
from adapters.kafka.topic_ends import EndsOfTopic
from adapters.kafka.topics import ensure_topics, topic_source
from cli.embedded.ports import free_ports
from domain.entities.service import TopicEnds
from domain.errors import BrokerUnreachable
from schemas.topics import TRIP_EVENTS
from tests.proxy import Proxy


@pytest.fixture
async def topic(kafka_address: str, topic_prefix: str) -> str:
    await ensure_topics(KafkaSettings(kafka=kafka_address, topic_prefix=topic_prefix, partitions=3))
    return topic_prefix + TRIP_EVENTS.name


@pytest.fixture
async def ends(kafka_address: str, topic: str) -> AsyncIterator[EndsOfTopic]:
    asked = EndsOfTopic(Broker(kafka_address), topic)
    await _answer(asked)
    yield asked
    await asked.close()


async def _answer(ends: EndsOfTopic) -> TopicEnds:
    """The first; a topic that has just been created has no leaders yet, and connections may have to be made anew."""
    async with asyncio.timeout(20):
        while True:
            try:
                return await ends()
            except BrokerUnreachable:
                await asyncio.sleep(0.05)


async def _produce(kafka_address: str, topic: str, count: int) -> None:
    async with RecordProducer(Broker(kafka_address)) as producer:
        for number in range(count):
            await producer.send(topic, f"key-{number}".encode(), b"value")


async def test_ends_grow_with_every_record(kafka_address: str, topic: str, ends: EndsOfTopic) -> None:
    found = await ends()
    assert (found.first, found.next) == ({0: 0, 1: 0, 2: 0}, {0: 0, 1: 0, 2: 0})
    assert found.source == await topic_source(Broker(kafka_address), topic)
    await _produce(kafka_address, topic, 25)
    assert sum((await ends()).next.values()) == 25


async def test_one_connection_is_kept(ends: EndsOfTopic) -> None:
    await ends()
    client = ends._client
    for _ in range(5):
        await ends()
    assert ends._client is client


async def test_a_connection_that_breaks_is_replaced(ends: EndsOfTopic) -> None:
    await ends()
    assert ends._client is not None
    for connection in list(ends._client._conns.values()):
        connection.close()
    assert len((await _answer(ends)).next) == 3


async def test_a_topic_that_is_not_there_is_an_error_in_words(kafka_address: str) -> None:
    nowhere = EndsOfTopic(Broker(kafka_address), "no-such-topic")
    with pytest.raises(BrokerUnreachable, match="has no topic no-such-topic"):
        await nowhere()
    await nowhere.close()


async def test_a_broker_that_comes_later_is_found(kafka_address: str, topic: str) -> None:
    port, target = free_ports(1)[0], int(kafka_address.rpartition(":")[2])
    proxy, ends = Proxy(port, target), EndsOfTopic(Broker(f"127.0.0.1:{port}"), topic)
    for _ in range(2):
        with pytest.raises(BrokerUnreachable, match="does not answer"):
            await ends()
    await proxy.heal()
    assert len((await _answer(ends)).next) == 3
    await ends.close()
    await proxy.cut()
    with pytest.raises(BrokerUnreachable, match="does not answer"):
        await ends()


async def test_a_broker_that_swallows_everything_is_given_up(topic: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        ends = EndsOfTopic(Broker(f"127.0.0.1:{server.getsockname()[1]}"), topic, seconds=0.2)
        with pytest.raises(BrokerUnreachable, match="does not answer"):
            await ends()
