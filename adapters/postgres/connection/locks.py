"""Changes that only one process at a time may make, whichever machine it runs on."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg

from adapters.environment.settings import PostgresSettings
from adapters.postgres.connection.pool import Pool, connected, open_connection
from domain.errors import ConcurrentUpdate, DatabaseUnreachable

ANSWER_SECONDS = 5.0
SILENCE_SECONDS = 15  # then the server ends the session of a leader that is frozen, and another may lead
TRY_LOCK = "select pg_try_advisory_lock($1)"


@asynccontextmanager
async def alone(pool: Pool, what: str) -> AsyncIterator[None]:
    """Hold the lock named `what` while inside; it ends with the process, however that ends.

    Raises ConcurrentUpdate at once when another process holds it, and DatabaseUnreachable.
    """
    key = _key(what)
    async with connected(pool) as connection:
        if not await connection.fetchval(TRY_LOCK, key):
            raise ConcurrentUpdate(f"another process is busy with the {what}; try again when it has finished")
        try:
            yield
        finally:
            with suppress(DatabaseUnreachable, OSError):  # a lost connection has released the lock already
                await connection.execute("select pg_advisory_unlock($1)", key)


# The last one: the server has closed the connection, and the driver, asked just then, loses track of it.
DRIVER_ERRORS = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)


class Leadership:
    """A lock that one of many processes holds for as long as its connection lives, and asks about every few seconds.

    It ends with the process, with the connection, and when the holder is silent for SILENCE_SECONDS. A holder that was frozen
    may believe in it for a moment longer: what it writes must be fenced.
    """

    def __init__(self, settings: PostgresSettings, what: str) -> None:
        self._settings, self._key = settings, _key(what)
        self._connection: asyncpg.Connection | None = None
        self._held = False

    async def ask(self) -> bool:
        """Whether the lock is ours, taking it if it is free. False where the database does not answer."""
        try:
            self._connection = self._connection or await self._open()
            if self._held:
                await self._connection.fetchval("select true", timeout=ANSWER_SECONDS)
            else:
                self._held = await self._connection.fetchval(TRY_LOCK, self._key, timeout=ANSWER_SECONDS)
        except (DatabaseUnreachable, OSError, *DRIVER_ERRORS):
            self.end()
        return self._held

    def end(self) -> None:
        """Give the lock up. Idempotent, never waits."""
        connection, self._connection, self._held = self._connection, None, False
        if connection is not None:
            connection.terminate()

    async def _open(self) -> asyncpg.Connection:
        return await open_connection(self._settings, "tripcast-leader", {"idle_session_timeout": f"{SILENCE_SECONDS}s"})


def _key(what: str) -> int:
    return int.from_bytes(hashlib.sha256(what.encode()).digest()[:8], "big", signed=True)
