"""One connection of a process's own, every use of it under a deadline, thrown away at the first fault.

A pool gives a broken connection back in its own time, and waits for it. Here nothing waits: what a black hole swallowed is
terminated when the deadline ends, and the next use opens a new connection.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from adapters.environment.settings import PostgresSettings
from adapters.postgres.connection.pool import INFRASTRUCTURE, address_of, in_words, open_connection
from domain.errors import DatabaseUnreachable, SchemaMismatch

UNFIT = (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError, asyncpg.InsufficientPrivilegeError)


class Line:
    """For one user at a time; a second one waits for the first."""

    def __init__(self, settings: PostgresSettings, application: str, seconds: float) -> None:
        self._settings, self._application, self._seconds = settings, application, seconds
        self._connection: asyncpg.Connection | None = None
        self._alone = asyncio.Lock()

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[asyncpg.Connection]:
        """The connection, for `seconds` at most. Raises DatabaseUnreachable, SchemaMismatch."""
        try:
            async with asyncio.timeout(self._seconds), self._alone:
                yield await self._open()
        except (*INFRASTRUCTURE, asyncpg.InterfaceError) as error:
            self.close()
            where = address_of(self._settings.dsn())
            raise DatabaseUnreachable(f"PostgreSQL at {where}: {in_words(error)}") from error
        except UNFIT as error:
            self.close()
            raise SchemaMismatch(f"{in_words(error)}; run `tripcast migrate`") from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the connection. Never waits."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.terminate()

    async def _open(self) -> asyncpg.Connection:
        if self._connection is None or self._connection.is_closed():
            self._connection = await open_connection(self._settings, self._application, {})
        return self._connection
