"""Does a broker answer, and what topics does it have?"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from adapters.kafka.bootstrap import whole
from adapters.kafka.broker import Broker
from domain.errors import BrokerUnreachable

PROBE_SECONDS = 2.0


async def broker_answers(broker: Broker, seconds: float = PROBE_SECONDS) -> bool:
    """Whether a metadata request is answered within `seconds` and names a broker. Never raises for a broker's faults."""
    try:
        await reach(broker, seconds)
    except BrokerUnreachable:
        return False
    return True


async def reach(broker: Broker, seconds: float = PROBE_SECONDS) -> None:
    """Have a metadata request answered within `seconds`. Raises BrokerUnreachable that says why not."""
    client = _client(broker, seconds)
    try:
        async with asyncio.timeout(seconds):
            with quiet():
                await client.bootstrap()
    except (KafkaError, OSError) as error:  # TimeoutError is an OSError
        raise broker.unreachable(error) from error
    finally:
        await client.close()
    if not client.cluster.brokers():
        raise BrokerUnreachable(f"Kafka at {broker} names no broker yet")


async def partition_counts(broker: Broker, topics: Sequence[str], seconds: float = 10.0) -> dict[str, int]:
    """How many partitions each of the topics has; 0 for one that is not there. Raises BrokerUnreachable."""
    client = _client(broker, seconds)
    try:
        async with asyncio.timeout(seconds):
            await client.bootstrap()
            cluster = await client.fetch_all_metadata()
    except (KafkaError, OSError) as error:
        raise broker.unreachable(error) from error
    finally:
        await client.close()
    return {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}


def _client(broker: Broker, seconds: float) -> AIOKafkaClient:
    milliseconds = int(seconds * 1000)
    return whole(AIOKafkaClient(**broker.options(), request_timeout_ms=milliseconds, client_id="tripcast-probe"))


@contextmanager
def quiet() -> Iterator[None]:
    """A probe that finds nobody is an answer, not an error worth a line in the log."""
    loggers = [logging.getLogger(name) for name in ("aiokafka", "aiokafka.client", "aiokafka.conn")]
    for logger in loggers:
        logger.addFilter(_nothing)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeFilter(_nothing)


def _nothing(_record: logging.LogRecord) -> bool:
    return False
