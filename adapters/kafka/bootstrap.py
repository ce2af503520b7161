"""Cancel a client of aiokafka at any moment without leaving a connection behind, and learn why one could not connect."""

import asyncio
from contextlib import suppress
from typing import TypeVar

from aiokafka.client import AIOKafkaClient
from aiokafka.conn import create_conn
from aiokafka.errors import KafkaConnectionError, KafkaError

GRACE_SECONDS = 1.0  # a broker that took the connection describes itself in milliseconds; a frozen one is not waited for
CAUSE_SECONDS = 5.0

Client = TypeVar("Client", bound=AIOKafkaClient)


def whole(client: Client) -> Client:
    """The same client, whose `bootstrap` ends what it began before it heeds a cancellation, and says why it failed.

    Between connecting and the broker's answer aiokafka 0.14 keeps the first connection nowhere: when it is cancelled there,
    as by a deadline of ours, the socket stays open until the garbage is collected, which then is an error in the log. Why it
    could not connect it tells the log alone; so the connection is tried once more, for its error.
    """
    begun = client.bootstrap

    async def bootstrap() -> None:
        task = asyncio.ensure_future(begun())
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            await _ended(task)
            raise
        except KafkaConnectionError as error:
            raise error from await _cause(client)

    client.bootstrap = bootstrap
    return client


async def _ended(task: "asyncio.Future[None]") -> None:
    """Wait for its end, which is near, also when cancelled once more, as by a deadline while somebody stops the process.

    Left to itself it would go on with a client that is closed, and its error would be nobody's: `Task exception was never
    retrieved`.
    """
    given_up = asyncio.get_running_loop().call_later(GRACE_SECONDS, task.cancel)
    while not task.done():
        with suppress(asyncio.CancelledError):
            await asyncio.wait([task])
    given_up.cancel()
    with suppress(asyncio.CancelledError, Exception):
        task.result()


async def _cause(client: AIOKafkaClient) -> BaseException | None:
    """The error of one more connection to the first server; None when that one succeeds, to a broker that came up just now."""
    host, port, _ = client.hosts[0]
    try:
        async with asyncio.timeout(min(CAUSE_SECONDS, client._request_timeout_ms / 1000)):
            connection = await create_conn(
                host,
                port,
                client_id=client._client_id,
                security_protocol=client._security_protocol,
                ssl_context=client._ssl_context,
                sasl_mechanism=client._sasl_mechanism,
                sasl_plain_username=client._sasl_plain_username,
                sasl_plain_password=client._sasl_plain_password,
            )
    except (KafkaError, OSError) as error:  # TimeoutError is an OSError
        return error
    connection.close()
    return None
