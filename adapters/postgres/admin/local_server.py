"""Databases and login users of a PostgreSQL server that is ours alone: the local stack's, and the tests'."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from adapters.postgres.admin.server import administering
from domain.errors import DatabaseUnreachable

PROBE_SECONDS = 2.0


async def database_answers(dsn: str, seconds: float = PROBE_SECONDS) -> bool:
    """Whether the database accepts this login and answers within `seconds`. Never raises for a server's faults."""
    try:
        async with asyncio.timeout(seconds), _connection(dsn) as connection:
            return bool(await connection.fetchval("select true"))
    except (DatabaseUnreachable, TimeoutError):
        return False


def ensure_groups(admin: str) -> None:
    """Create the group roles. Idempotent."""
    with administering(admin) as administrator:
        administrator.ensure_groups()


def ensure_login(admin: str, user: str, password: str, member_of: str | None = None) -> None:
    """Create the login user, or set its password. Idempotent."""
    with administering(admin) as administrator:
        administrator.ensure_login(user, password, member_of)


def ensure_database(admin: str, name: str, owner: str) -> None:
    """Create the database. Idempotent."""
    with administering(admin) as administrator:
        administrator.ensure_database(name, owner)


async def copy_database(admin: str, template: str, name: str, owner: str) -> None:
    """Create `name` as a copy of `template`, which nobody may be connected to."""
    async with _connection(admin) as connection:
        await connection.execute(f"create database {_name(name)} template {_name(template)} owner {_name(owner)}")


async def drop_database(admin: str, name: str) -> None:
    """Drop the database, and whoever is connected to it. Idempotent."""
    async with _connection(admin) as connection:
        await connection.execute(f"drop database if exists {_name(name)} with (force)")


@asynccontextmanager
async def _connection(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    try:
        connection = await asyncpg.connect(dsn, timeout=10, command_timeout=60)
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise DatabaseUnreachable(f"PostgreSQL does not answer: {error}") from error
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


def _name(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'
