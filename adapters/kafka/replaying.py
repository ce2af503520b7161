"""Publish dead letters to the topic of trip events again, byte for byte."""

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager

from adapters.kafka.broker import Broker
from adapters.kafka.producer import DEADLINE_SECONDS, RecordProducer
from domain.entities.rejections import StoredDeadLetter
from schemas.headers import REPLAY_OF

Publish = Callable[[StoredDeadLetter], Awaitable[None]]


@asynccontextmanager
async def replaying(broker: Broker, topic: str, deadline_seconds: float = DEADLINE_SECONDS) -> AsyncIterator[Publish]:
    """Gives what publishes one letter and returns when it is stored. Raises BrokerUnreachable."""
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # what it complains of reaches the user as our error
    async with RecordProducer(broker, deadline_seconds=deadline_seconds) as producer:

        async def publish(stored: StoredDeadLetter) -> None:
            letter = stored.letter
            await producer.send(topic, letter.key, letter.value, _headers(stored))

        yield publish


def _headers(stored: StoredDeadLetter) -> Sequence[tuple[str, bytes | None]]:
    """The original headers, and where the record was refused; the last refusal alone if there were several."""
    original = [header for header in stored.letter.headers if header[0] != REPLAY_OF]
    return [*original, (REPLAY_OF, stored.origin.encode())]
