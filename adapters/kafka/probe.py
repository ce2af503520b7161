"""Does a broker answer?"""

import asyncio
import logging

from aiokafka.client import AIOKafkaClient
from aiokafka.errors import KafkaError

PROBE_SECONDS = 2.0


async def broker_answers(address: str, seconds: float = PROBE_SECONDS) -> bool:
    """Whether a metadata request is answered within `seconds` and names a broker. Never raises for a broker's faults."""
    client = AIOKafkaClient(bootstrap_servers=address, request_timeout_ms=int(seconds * 1000), client_id="tripcast-probe")
    _quieten()
    try:
        async with asyncio.timeout(seconds):
            await client.bootstrap()
            return bool(client.cluster.brokers())
    except (KafkaError, OSError):  # TimeoutError is an OSError
        return False
    finally:
        await client.close()


def _quieten() -> None:
    """A probe that finds nobody is an answer, not an error worth a line in the log."""
    logging.getLogger("aiokafka.client").setLevel(logging.CRITICAL)
