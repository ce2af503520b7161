"""Cancel a client of aiokafka at any moment without leaving a connection behind."""

import asyncio
from contextlib import suppress
from typing import TypeVar

from aiokafka.client import AIOKafkaClient

GRACE_SECONDS = 1.0  # a broker that took the connection describes itself in milliseconds; a frozen one is not waited for

Client = TypeVar("Client", bound=AIOKafkaClient)


def whole(client: Client) -> Client:
    """The same client, whose `bootstrap` ends what it began before it heeds a cancellation.

    Between connecting and the broker's answer aiokafka 0.14 keeps the first connection nowhere: when it is cancelled there,
    as by a deadline of ours, the socket stays open until the garbage is collected, which then is an error in the log.
    """
    begun = client.bootstrap

    async def bootstrap() -> None:
        task = asyncio.ensure_future(begun())
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await asyncio.wait([task], timeout=GRACE_SECONDS)
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task
            raise

    client.bootstrap = bootstrap
    return client
