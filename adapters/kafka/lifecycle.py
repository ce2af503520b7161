"""The topic `model-lifecycle`: say what happened to a model, and hear what is asked for."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from adapters.kafka.bootstrap import whole
from adapters.kafka.broker import Broker
from adapters.kafka.producer import RecordProducer
from domain.entities.models import LifecycleEvent
from schemas.events import LifecycleChanged

ANNOUNCE_SECONDS = 10.0
MAX_TRAINING_MS = 6 * 3600 * 1000  # between two looks at the topic lies a whole training
Done = Callable[[], Awaitable[None]]


async def announce(broker: Broker, topic: str, event: LifecycleEvent) -> None:
    """Publish the event, keyed by its kind. Raises BrokerUnreachable."""
    message = LifecycleChanged(event.kind, event.subject, event.actor, event.reason, event.at.astimezone(UTC))
    async with RecordProducer(broker, deadline_seconds=ANNOUNCE_SECONDS) as producer:
        await producer.send(topic, event.kind.encode(), msgspec.json.encode(message))


@asynccontextmanager
async def listening(broker: Broker, topic: str, group: str) -> AsyncIterator[AsyncIterator[tuple[LifecycleChanged, Done]]]:
    """Messages from where the group left off, each with a call that says it is dealt with. Raises BrokerUnreachable.

    A message that is not dealt with comes again after a restart. What cannot be decoded is skipped: it asks for nothing.
    """
    consumer = AIOKafkaConsumer(
        topic,
        **broker.options(),
        group_id=group,
        client_id="tripcast-trainer",
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        max_poll_interval_ms=MAX_TRAINING_MS,
    )
    whole(consumer._client)
    try:
        await consumer.start()
        yield _messages(consumer)
    except (KafkaError, OSError) as error:
        raise broker.unreachable(error, f"does not give {topic}") from error
    finally:
        await consumer.stop()


async def _messages(consumer: Any) -> AsyncIterator[tuple[LifecycleChanged, Done]]:  # noqa: ANN401 - aiokafka is untyped
    async for record in consumer:
        try:
            message = msgspec.json.decode(record.value or b"", type=LifecycleChanged)
        except (ValueError, RecursionError):  # msgspec's and Unicode's errors are ValueErrors
            continue
        yield message, consumer.commit
