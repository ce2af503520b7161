"""Changes that only one process at a time may make, whichever machine it runs on."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from adapters.postgres.connection import Pool, connected
from domain.errors import ConcurrentUpdate, DatabaseUnreachable


@asynccontextmanager
async def alone(pool: Pool, what: str) -> AsyncIterator[None]:
    """Hold the lock named `what` while inside; it ends with the process, however that ends.

    Raises ConcurrentUpdate at once when another process holds it, and DatabaseUnreachable.
    """
    key = int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "big", signed=True)
    async with connected(pool) as connection:
        if not await connection.fetchval("select pg_try_advisory_lock($1)", key):
            raise ConcurrentUpdate(f"another process is busy with the {what}; try again when it has finished")
        try:
            yield
        finally:
            with suppress(DatabaseUnreachable, OSError):  # a lost connection has released the lock already
                await connection.execute("select pg_advisory_unlock($1)", key)
