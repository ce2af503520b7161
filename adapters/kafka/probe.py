"""Does a broker answer, and what topics does it have?"""

import asyncio
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

from adapters.kafka.bootstrap import whole
from domain.errors import BrokerUnreachable

PROBE_SECONDS = 2.0


async def broker_answers(address: str, seconds: float = PROBE_SECONDS) -> bool:
    """Whether a metadata request is answered within `seconds` and names a broker. Never raises for a broker's faults."""
    client = _client(address, seconds)
    try:
        async with asyncio.timeout(seconds):
            with quiet():
                await client.bootstrap()
            return bool(client.cluster.brokers())
    except (KafkaError, OSError):  # TimeoutError is an OSError
        return False
    finally:
        await client.close()


async def partition_counts(address: str, topics: Sequence[str], seconds: float = 10.0) -> dict[str, int]:
    """How many partitions each of the topics has; 0 for one that is not there. Raises BrokerUnreachable."""
    client = _client(address, seconds)
    try:
        async with asyncio.timeout(seconds):
            await client.bootstrap()
            cluster = await client.fetch_all_metadata()
    except (KafkaError, OSError) as error:
        raise BrokerUnreachable(f"Kafka at {address} does not answer") from error
    finally:
        await client.close()
    return {topic: len(cluster.partitions_for_topic(topic) or ()) for topic in topics}


def _client(address: str, seconds: float) -> AIOKafkaClient:
    milliseconds = int(seconds * 1000)
    return whole(AIOKafkaClient(bootstrap_servers=address, request_timeout_ms=milliseconds, client_id="tripcast-probe"))


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
