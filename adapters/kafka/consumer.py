"""Read trip events by positions of our own: the group assigns partitions, PostgreSQL says where to go on in them."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka import errors as kafka
from aiokafka.protocol.group import LeaveGroupRequest

from adapters.kafka.bootstrap import whole
from adapters.kafka.broker import Broker
from adapters.kafka.topics import READ_COMMITTED, topic_source
from domain.entities.streams import StreamSource
from domain.errors import BrokerUnreachable

SESSION_SECONDS = 10.0
HEARTBEAT_SECONDS = 2.0
REQUEST_SECONDS = 10.0
LEAVING_SECONDS = 0.3
CLOSING_SECONDS = 3.0
METADATA_SECONDS = 5.0  # how soon a re-created topic, or one with more partitions, is noticed
PARTITION_FETCH_BYTES = 4 * 1024 * 1024
IDLE_FETCH_MS = 100  # the broker answers a connection's requests in turn: who asks for offsets waits behind an idle fetch

Records = Mapping[int, Sequence[Any]]


class EventConsumer:
    """A member of the consumer group of one topic; see `stream.ports.EventSource` for the contract.

    Nothing is fetched from a partition before `seek`. `before_revoke` is awaited (its bound is its own affair) before the
    group takes partitions away. When the client library gives up, the next `open` builds a new one.
    """

    def __init__(self, broker: Broker, topic: str, group: str) -> None:
        self.generation = 0
        self.assigned: frozenset[int] = frozenset()
        self.changed = asyncio.Event()
        self.before_revoke: Callable[[], Awaitable[None]] | None = None
        self._broker, self._topic, self._group = broker, topic, group
        self._client: AIOKafkaConsumer | None = None
        self._hint: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect and ask for partitions; they come later, with `changed` set. Nothing to do when open."""
        if self._client is not None:
            return
        client = AIOKafkaConsumer(
            **self._broker.options(),
            client_id="tripcast-worker",
            group_id=self._group,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level=READ_COMMITTED,
            session_timeout_ms=int(SESSION_SECONDS * 1000),
            heartbeat_interval_ms=int(HEARTBEAT_SECONDS * 1000),
            request_timeout_ms=int(REQUEST_SECONDS * 1000),
            metadata_max_age_ms=int(METADATA_SECONDS * 1000),
            fetch_max_wait_ms=IDLE_FETCH_MS,
            max_partition_fetch_bytes=PARTITION_FETCH_BYTES,
        )
        whole(client._client)
        try:
            async with self._translated(), asyncio.timeout(REQUEST_SECONDS):
                await client.start()
        except BaseException:
            await _stop(client)
            raise
        client.subscribe([self._topic], listener=_Listener(self))
        self._client = client

    async def close(self) -> None:
        """Leave the group, within a few seconds even when the broker does not answer."""
        client, self._client = self._client, None
        if self._hint is not None:
            self._hint.cancel()
        if client is not None:
            await _stop(client)
        self._reassign(frozenset())

    async def source(self) -> StreamSource:
        """Which incarnation of the topic is being read."""
        return await topic_source(self._broker, self._topic)

    def seek(self, partition: int, offset: int) -> None:
        """Read this partition from `offset` on. Raises KeyError when it is not assigned any more."""
        if self._client is None or partition not in self.assigned:
            raise KeyError(partition)
        try:
            self._client.seek(self._at(partition), offset)
        except kafka.IllegalStateError as error:
            raise KeyError(partition) from error

    async def fetch(self, partitions: Sequence[int], max_records: int, wait_seconds: float) -> Records:
        """At most `max_records` records of these partitions, in offset order in each; none when none came in time.

        Raises BrokerUnreachable when the client has given up, and IndexError when a position is outside the partition's log.
        """
        if self._client is None or not partitions:
            return {}
        try:
            async with self._translated():
                fetched = await self._getmany(
                    self._client, [self._at(number) for number in partitions], max_records, wait_seconds
                )
        except BrokerUnreachable:
            await self.close()
            raise
        return {topic_partition.partition: records for topic_partition, records in fetched.items()}

    async def positions(self, partitions: Sequence[int]) -> dict[int, int]:
        """Where the next fetch goes on: above the last record's offset + 1 when the broker has nothing in between."""
        client = self._client
        if client is None:
            return {}
        states = {number: self._state(number) for number in partitions}
        return {number: state.position for number, state in states.items() if state is not None and state.has_valid_position}

    async def log_start_offsets(self, partitions: Sequence[int]) -> dict[int, int]:
        """The first offset that retention has left."""
        return await self._offsets("beginning_offsets", partitions)

    async def end_offsets(self, partitions: Sequence[int]) -> dict[int, int]:
        """The offset after the last committed record."""
        return await self._offsets("end_offsets", partitions)

    def known_ends(self, partitions: Sequence[int]) -> dict[int, int]:
        """Where these partitions ended when the broker last answered a fetch."""
        states = {number: self._state(number) for number in partitions}
        ends = {number: _end(state) for number, state in states.items() if state is not None}
        return {number: end for number, end in ends.items() if end is not None}

    def hint(self, next_offsets: Mapping[int, int]) -> None:
        """Commit to Kafka for the eyes of lag tools; at most one at a time, its failure means nothing."""
        if self._client is None or (self._hint is not None and not self._hint.done()):
            return
        mine = {self._at(number): offset for number, offset in next_offsets.items() if number in self.assigned}
        if mine:
            self._hint = asyncio.create_task(_commit(self._client, mine))

    async def revoke(self) -> None:
        """The group takes the partitions away."""
        self._reassign(frozenset())
        if self.before_revoke is not None:
            await self.before_revoke()

    def assign(self, partitions: frozenset[int]) -> None:
        """The group has given partitions."""
        self._reassign(partitions)

    async def _getmany(self, client: AIOKafkaConsumer, partitions: list[TopicPartition], count: int, wait: float) -> Any:  # noqa: ANN401 - aiokafka is untyped
        try:
            # The outer deadline is for a rebalance under way, for which getmany waits without one; no record is lost by it,
            # since records are taken only in the step that returns them.
            async with asyncio.timeout(wait + 0.5):
                return await client.getmany(*partitions, timeout_ms=int(wait * 1000), max_records=count)
        except TimeoutError:
            return {}
        except kafka.NoOffsetForPartitionError:  # given to us a moment ago, and `seek` has not said yet where to begin
            return {}
        except kafka.OffsetOutOfRangeError as error:
            raise IndexError(str(error)) from error

    async def _offsets(self, which: str, partitions: Sequence[int]) -> dict[int, int]:
        if self._client is None:
            raise BrokerUnreachable(f"Kafka at {self._broker} is not connected")
        async with self._translated(), asyncio.timeout(REQUEST_SECONDS):
            found = await getattr(self._client, which)([self._at(number) for number in partitions])
        return {topic_partition.partition: offset for topic_partition, offset in found.items()}

    def _state(self, partition: int) -> Any:  # noqa: ANN401 - aiokafka is untyped
        """Its public `position` may wait for ever; the state beneath it does not."""
        subscription = self._client._subscription.subscription if self._client is not None else None
        assignment = subscription.assignment if subscription is not None else None
        return None if assignment is None else assignment.state_value(self._at(partition))

    def _reassign(self, partitions: frozenset[int]) -> None:
        self.generation += 1
        self.assigned = partitions
        self.changed.set()

    def _at(self, partition: int) -> TopicPartition:
        return TopicPartition(self._topic, partition)

    @contextlib.asynccontextmanager
    async def _translated(self) -> AsyncIterator[None]:
        try:
            yield
        except (kafka.KafkaError, OSError) as error:  # TimeoutError is an OSError
            raise self._broker.unreachable(error) from error


class _Listener(ConsumerRebalanceListener):
    """Passes the group's decisions on; positions are read later, in the worker's loop, so a database outage blocks no group."""

    def __init__(self, consumer: EventConsumer) -> None:
        self._consumer = consumer

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        if revoked:
            await self._consumer.revoke()

    def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        self._consumer.assign(frozenset(topic_partition.partition for topic_partition in assigned))


def _end(state: Any) -> int | None:  # noqa: ANN401 - aiokafka is untyped
    """Up to the last stable offset: what lies behind it is not given to us."""
    end: int | None = state.lso if state.lso is not None and state.lso >= 0 else state.highwater
    return end


async def _commit(client: AIOKafkaConsumer, offsets: dict[TopicPartition, int]) -> None:
    with contextlib.suppress(kafka.KafkaError, OSError):
        async with asyncio.timeout(REQUEST_SECONDS):
            await client.commit(offsets)


async def _stop(client: AIOKafkaConsumer) -> None:
    stopping = asyncio.create_task(client.stop())
    try:
        await asyncio.wait({stopping}, timeout=LEAVING_SECONDS)
        with contextlib.suppress(kafka.KafkaError, OSError):
            async with asyncio.timeout(CLOSING_SECONDS):
                if not stopping.done():
                    await _leave(client)
                await stopping
    finally:
        stopping.cancel()


async def _leave(client: AIOKafkaConsumer) -> None:
    """Say so beside the connection on which the client waits for the group's answer.

    A client that is stopped while the group is being formed waits for that first, and the group for it: for a whole session.
    """
    coordinator = client._coordinator
    if coordinator is not None and coordinator.coordinator_id is not None and coordinator.member_id:
        request = LeaveGroupRequest(coordinator.group_id, coordinator.member_id)
        with contextlib.suppress(kafka.KafkaError):
            await client._client.send(coordinator.coordinator_id, request)
