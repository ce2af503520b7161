"""Read what lies in a topic by partition and offset, outside every consumer group: nothing that is read here moves anything."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka import errors as kafka

from adapters.kafka.bootstrap import whole
from adapters.kafka.broker import Broker
from adapters.kafka.partitioner import partitions_of
from adapters.kafka.topics import READ_COMMITTED, REQUEST_SECONDS, topic_source
from domain.entities.streams import StreamSource
from domain.errors import BrokerUnreachable

FETCH_MS = 500
FETCH_RECORDS = 2000
IDLE_FETCH_MS = 10  # the broker answers a connection's requests in turn: a question for offsets waits behind an idle fetch
PARTITION_FETCH_BYTES = 4 * 1024 * 1024
EVER = 1 << 62  # an offset that no partition reaches


@asynccontextmanager
async def past_records(broker: Broker, topic: str, client: str = "tripcast-audit") -> AsyncIterator["PastRecords"]:
    """Open a topic for reading. Raises BrokerUnreachable."""
    consumer = AIOKafkaConsumer(
        **broker.options(),
        client_id=client,
        enable_auto_commit=False,
        auto_offset_reset="none",
        isolation_level=READ_COMMITTED,
        request_timeout_ms=int(REQUEST_SECONDS * 1000),
        max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
        fetch_max_wait_ms=IDLE_FETCH_MS,
    )
    whole(consumer._client)
    past = PastRecords(broker, topic, consumer)
    try:
        async with past.translated():
            await consumer.start()
        yield past
    finally:
        await consumer.stop()


class PastRecords:
    """Implements `stream.repair_ports.PastRecords`, one reading at a time."""

    def __init__(self, broker: Broker, topic: str, consumer: Any) -> None:  # noqa: ANN401 - aiokafka is untyped
        self._broker, self._topic, self._consumer = broker, topic, consumer

    async def source(self) -> StreamSource:
        """Which incarnation of the topic is there now."""
        return await topic_source(self._broker, self._topic)

    async def limits(self, partition: int) -> tuple[int, int]:
        """The first offset that retention has left, and the one after the last committed record."""
        at = TopicPartition(self._topic, partition)
        async with self.translated():
            first = await self._consumer.beginning_offsets([at])
            after = await self._consumer.end_offsets([at])
        return first[at], after[at]

    async def partitions(self) -> Sequence[int]:
        """Asked of the broker: the client's own answer comes from a cache."""
        async with self.translated():
            found = (await self._consumer._client.fetch_all_metadata()).partitions_for_topic(self._topic)
        if not found:
            raise BrokerUnreachable(f"Kafka at {self._broker} has no topic {self._topic}: run `tripcast migrate`")
        return sorted(found)

    async def partition_of(self, keys: Sequence[bytes]) -> list[int]:
        """As our producers choose it."""
        numbers: list[int] = partitions_of(keys, len(await self.partitions())).tolist()
        return numbers

    async def offset_at(self, partition: int, moment: datetime) -> int:
        """By the records' timestamps."""
        at = TopicPartition(self._topic, partition)
        async with self.translated():
            found = (await self._consumer.offsets_for_times({at: int(moment.timestamp() * 1000)}))[at]
        return int(found.offset) if found is not None else (await self.limits(partition))[1]

    async def records(self, partition: int, first: int, until: int) -> AsyncGenerator[Any]:
        """Whoever leaves it early closes it, see `aclosing`, before the next reading.

        Raises BrokerUnreachable also when retention takes them meanwhile, or when nothing comes for a while.
        """
        at = TopicPartition(self._topic, partition)
        self._consumer.assign([at])
        self._consumer.seek(at, first)
        position = first
        try:
            while position < until:
                async with self.translated():
                    records = await self._some(at, position)
                for record in records:
                    if record.offset >= until:
                        return
                    yield record
                position = self._position(at, position)
        finally:
            self._consumer.pause(at)  # or it fetches on

    def following(self, partition: int, first: int) -> AsyncGenerator[Any]:
        """The records from there on, as they come. Raises BrokerUnreachable when none comes for REQUEST_SECONDS."""
        return self.records(partition, first, EVER)

    async def _some(self, at: TopicPartition, position: int) -> list[Any]:
        """The next records; none when there are none at the next offsets."""
        while True:
            fetched = await self._consumer.getmany(at, timeout_ms=FETCH_MS, max_records=FETCH_RECORDS)
            if fetched or self._position(at, position) > position:
                return list(fetched.get(at, ()))

    def _position(self, at: TopicPartition, known: int) -> int:
        """Its public `position` may wait for ever; the state beneath it does not."""
        state = self._consumer._subscription.subscription.assignment.state_value(at)
        return int(state.position) if state is not None and state.has_valid_position else known

    @asynccontextmanager
    async def translated(self) -> AsyncIterator[None]:
        """Within a deadline, in our own errors."""
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                yield
        except (kafka.KafkaError, OSError) as error:  # TimeoutError is an OSError
            raise self._broker.unreachable(error, f"does not give {self._topic}") from error
