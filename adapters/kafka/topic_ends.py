"""Where a topic begins and ends, asked every second through one kept connection."""

from collections import defaultdict
from typing import Any

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError, for_code
from aiokafka.protocol.offset import OffsetRequest

from adapters.kafka.bootstrap import whole
from adapters.kafka.broker import Broker
from adapters.kafka.metadata import TopicIdsRequest
from adapters.kafka.probe import quiet
from domain.entities.service import TopicEnds
from domain.entities.streams import StreamSource
from domain.errors import BrokerUnreachable

FIRST, NEXT = -2, -1  # "timestamps" of a request for offsets
COMMITTED = 1  # isolation level: the records of a transaction count when it is committed


class EndsOfTopic:
    """Asks for one topic; must be asked once at a time. After an error the next question connects anew."""

    def __init__(self, broker: Broker, topic: str, seconds: float = 2.0) -> None:
        self._broker, self._topic, self._seconds = broker, topic, seconds
        self._client: AIOKafkaClient | None = None

    async def __call__(self) -> TopicEnds:
        """Raises BrokerUnreachable, also when there is no such topic."""
        try:
            with quiet():
                return await self._ask()
        except (KafkaError, OSError) as error:  # TimeoutError is an OSError
            await self.close()
            raise self._broker.unreachable(error) from error
        except BaseException:
            await self.close()
            raise

    async def close(self) -> None:
        """Hang up; asking goes on to be possible."""
        client, self._client = self._client, None
        if client is not None:
            with quiet():
                await client.close()

    async def _ask(self) -> TopicEnds:
        client = await self._connected()
        response = await client.send(client.get_random_node(), TopicIdsRequest([self._topic]))
        found = response.to_object()
        [topic] = found["topics"]
        if topic["error_code"]:
            raise BrokerUnreachable(f"Kafka at {self._broker} has no topic {self._topic}: run `tripcast migrate`")
        source = StreamSource(found["cluster_id"], self._topic, topic["topic_id"])
        leaders = {each["partition"]: each["leader"] for each in topic["partitions"]}
        return TopicEnds(source, await self._offsets(client, leaders, FIRST), await self._offsets(client, leaders, NEXT))

    async def _connected(self) -> AIOKafkaClient:
        if self._client is None:
            self._client = whole(
                AIOKafkaClient(
                    **self._broker.options(),
                    request_timeout_ms=int(self._seconds * 1000),
                    client_id="tripcast-api",
                )
            )
            await self._client.bootstrap()
        return self._client

    async def _offsets(self, client: AIOKafkaClient, leaders: dict[int, int], which: int) -> dict[int, int]:
        by_leader: dict[int, list[tuple[int, int]]] = defaultdict(list)
        for partition, leader in leaders.items():
            by_leader[leader].append((partition, which))
        offsets: dict[int, int] = {}
        for leader, wanted in by_leader.items():
            response = await client.send(leader, OffsetRequest(-1, COMMITTED, [(self._topic, wanted)]))
            offsets |= dict(_offset(*part) for _, parts in response.topics for part in parts)
        return offsets


def _offset(partition: int, error_code: int, _timestamp: int, offset: int, *_more: Any) -> tuple[int, int]:  # noqa: ANN401 - epochs of newer versions
    if error_code:
        raise for_code(error_code)(partition)
    return partition, offset
