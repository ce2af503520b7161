"""Topics as the broker has them: created explicitly, identified by their id, and how far each partition goes."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka import errors as kafka
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.client import AIOKafkaClient

from adapters.environment.settings import KafkaSettings
from adapters.kafka.bootstrap import whole
from adapters.kafka.broker import Broker
from adapters.kafka.metadata import TopicIdsRequest, TopicIdsResponse
from domain.entities.streams import StreamSource
from domain.errors import BrokerUnreachable, InvalidInput
from schemas.topics import TOPICS, Topic

REQUEST_SECONDS = 10.0
READ_COMMITTED = "read_committed"  # events of an aborted transaction never happened


async def ensure_topics(settings: KafkaSettings) -> list[str]:
    """Create the topics that are missing and return their names. Idempotent; never changes one that exists.

    Raises BrokerUnreachable, and InvalidInput when a topic exists with fewer partitions than the settings ask for.
    """
    async with _admin(settings) as admin:
        wanted = {f"{settings.topic_prefix}{topic.name}": topic for topic in TOPICS}
        existing = {found["topic"]: len(found["partitions"]) for found in await admin.describe_topics(list(wanted))}
        missing = {name: topic for name, topic in wanted.items() if not existing.get(name)}
        for name in wanted.keys() - missing.keys():
            _check_partitions(name, existing[name], _partitions(wanted[name], settings))
        if missing:
            await _create(admin, [_new_topic(name, topic, settings) for name, topic in missing.items()])
        return sorted(missing)


async def topic_source(broker: Broker, topic: str) -> StreamSource:
    """Which incarnation of the topic the broker has now. Raises BrokerUnreachable, also when there is no such topic."""
    async with _within_deadline(broker):
        client = whole(AIOKafkaClient(**broker.options(), request_timeout_ms=_milliseconds(REQUEST_SECONDS)))
        try:
            await client.bootstrap()
            response: TopicIdsResponse = await client.send(client.get_random_node(), TopicIdsRequest([topic]))
        finally:
            await client.close()
    found = response.to_object()
    [description] = found["topics"]
    if description["error_code"]:
        raise BrokerUnreachable(f"Kafka at {broker} has no topic {topic}: run `tripcast migrate`")
    return StreamSource(found["cluster_id"], topic, description["topic_id"])


async def end_offsets(broker: Broker, topic: str) -> dict[int, int]:
    """Per partition the offset that the next committed record will get. Raises BrokerUnreachable."""
    async with _reader(broker, topic) as (consumer, partitions):
        return _by_number(await consumer.end_offsets(partitions))


async def log_start_offsets(broker: Broker, topic: str) -> dict[int, int]:
    """Per partition the first offset that retention has left. Raises BrokerUnreachable."""
    async with _reader(broker, topic) as (consumer, partitions):
        return _by_number(await consumer.beginning_offsets(partitions))


def _partitions(topic: Topic, settings: KafkaSettings) -> int:
    return topic.partitions or settings.partitions


def _new_topic(name: str, topic: Topic, settings: KafkaSettings) -> NewTopic:
    configuration = {"retention.ms": str(topic.retention_ms), "max.message.bytes": str(topic.max_record_bytes)}
    return NewTopic(name, _partitions(topic, settings), settings.replication, topic_configs=configuration)


def _check_partitions(name: str, found: int, wanted: int) -> None:
    if found < wanted:
        raise InvalidInput(
            f"topic {name} has {found} partitions and TRIPCAST_PARTITIONS asks for {wanted}: set it to {found}, or add "
            "partitions yourself (trips under way then change partition, so stop the producers and drain first)"
        )


async def _create(admin: AIOKafkaAdminClient, topics: Sequence[NewTopic]) -> None:
    response = await admin.create_topics(list(topics), timeout_ms=_milliseconds(REQUEST_SECONDS))
    for name, code, *message in response.topic_errors:
        error = kafka.for_code(code)
        if error not in (kafka.NoError, kafka.TopicAlreadyExistsError):  # another process creates them at this moment
            raise InvalidInput(
                f"Kafka refuses to create topic {name}: {error.__name__} {message[0] if message else ''}".strip()
            )


@asynccontextmanager
async def _admin(settings: KafkaSettings) -> AsyncIterator[AIOKafkaAdminClient]:
    broker = Broker.of(settings)
    async with _within_deadline(broker):
        admin = AIOKafkaAdminClient(**broker.options(), request_timeout_ms=_milliseconds(REQUEST_SECONDS))
        whole(admin._client)
        try:
            await admin.start()
            yield admin
        finally:
            await admin.close()


@asynccontextmanager
async def _reader(broker: Broker, topic: str) -> AsyncIterator[tuple[Any, list[TopicPartition]]]:
    async with _within_deadline(broker):
        consumer = AIOKafkaConsumer(
            **broker.options(),
            request_timeout_ms=_milliseconds(REQUEST_SECONDS),
            enable_auto_commit=False,
            isolation_level=READ_COMMITTED,
        )
        whole(consumer._client)
        try:
            await consumer.start()
            numbers = (await consumer._client.fetch_all_metadata()).partitions_for_topic(
                topic
            )  # the public call answers from a cache
            if not numbers:
                raise BrokerUnreachable(f"Kafka at {broker} has no topic {topic}: run `tripcast migrate`")
            yield consumer, [TopicPartition(topic, number) for number in sorted(numbers)]
        finally:
            await consumer.stop()


@asynccontextmanager
async def _within_deadline(broker: Broker) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(REQUEST_SECONDS):
            yield
    except (kafka.KafkaError, OSError) as error:  # TimeoutError is an OSError
        raise broker.unreachable(error) from error


def _by_number(offsets: dict[TopicPartition, int]) -> dict[int, int]:
    return {partition.partition: offset for partition, offset in offsets.items()}


def _milliseconds(seconds: float) -> int:
    return int(seconds * 1000)
