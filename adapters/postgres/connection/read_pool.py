"""Small pools with short deadlines that are there before the database is; for those who only look, read-only."""

import asyncpg
from asyncpg import exceptions as pg

from adapters.postgres.connection.pool import IDLE_SECONDS, Pool, connecting, in_words, session_settings
from adapters.postgres.connection.security import Password
from domain.errors import InvalidInput


async def open_read_pool(
    dsn: str,
    application: str,
    *,
    connections: int,
    seconds: float,
    connect_seconds: float = 1.0,
    read_only: bool = True,
    password: Password | None = None,
) -> Pool:
    """A pool whose statements end after `seconds`. Needs no database yet: it connects when it is asked.

    Raises InvalidInput for an unusable address.
    """
    try:
        return await asyncpg.create_pool(
            dsn,
            min_size=0,
            max_size=connections,
            max_inactive_connection_lifetime=IDLE_SECONDS,
            connect=connecting(dsn, password),
            timeout=connect_seconds,
            command_timeout=seconds,
            server_settings=session_settings(seconds, application)
            | {"default_transaction_read_only": "on" if read_only else "off"},
        )
    except (pg.ClientConfigurationError, ValueError) as error:
        raise InvalidInput(f"TRIPCAST_BOARD_DATABASE is not an address of a database: {in_words(error)}") from error
