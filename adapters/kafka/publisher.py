"""Publish what the worker has to say: predictions after their rows, refused events before theirs."""

import asyncio
from collections.abc import Sequence
from datetime import UTC

from adapters.kafka.producer import Headers, RecordProducer
from domain.entities.rejections import DeadLetter
from domain.errors import BrokerUnreachable, InvalidInput
from schemas.headers import DETAIL, ORIGIN, ORIGIN_TIMESTAMP, REASON, TRACEPARENT

AT_ONCE = 200  # refused events in flight; they may have megabytes each


class Publisher:
    """Publishes through one idempotent producer; see `stream.ports.Output` for the contract."""

    def __init__(self, producer: RecordProducer, topic_prefix: str, events: str, predictions: str, quarantine: str) -> None:
        self._producer = producer
        self._events = f"{topic_prefix}{events}"
        self._predictions = f"{topic_prefix}{predictions}"
        self._quarantine = f"{topic_prefix}{quarantine}"

    async def predictions(
        self, keys: Sequence[bytes], values: Sequence[bytes], traceparents: Sequence[str | None] | None = None
    ) -> None:
        """Store predictions, keyed by trip id. Raises BrokerUnreachable; then any part of them may be stored."""
        headers = None if traceparents is None else [_traced(each) for each in traceparents]
        await self._producer.publish(self._predictions, keys, values, headers)

    async def quarantine(self, dead_letters: Sequence[DeadLetter]) -> None:
        """Store refused events byte for byte, with why and whence in headers. Raises BrokerUnreachable, likewise.

        Also for what is too large for the topic: the events' own topic took it, so this one's limit is wrong; any other error
        would stop the worker, and in the end blame the event.
        """
        for first in range(0, len(dead_letters), AT_ONCE):
            await asyncio.gather(*(self._send(letter) for letter in dead_letters[first : first + AT_ONCE]))

    async def _send(self, letter: DeadLetter) -> None:
        headers = (
            *letter.headers,
            (REASON, letter.reason.value.encode()),
            (DETAIL, letter.detail.encode()),
            (ORIGIN, f"{self._events}/{letter.partition}/{letter.offset}".encode()),
            (ORIGIN_TIMESTAMP, letter.timestamp.astimezone(UTC).isoformat().encode()),
        )
        try:
            await self._producer.send(self._quarantine, letter.key, letter.value, headers)
        except InvalidInput as error:
            raise BrokerUnreachable(f"{error}: raise max.message.bytes of the topic") from error


def _traced(traceparent: str | None) -> Headers:
    return () if traceparent is None else ((TRACEPARENT, traceparent.encode()),)
