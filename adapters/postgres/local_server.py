"""Databases and login users of a PostgreSQL server that is ours alone: the local stack's, and the tests'."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg

from domain.errors import DatabaseUnreachable

PROBE_SECONDS = 2.0
GROUPS = ("tripcast_worker", "tripcast_board", "tripcast_api")


async def database_answers(dsn: str, seconds: float = PROBE_SECONDS) -> bool:
    """Whether the database accepts this login and answers within `seconds`. Never raises for a server's faults."""
    try:
        async with asyncio.timeout(seconds), _connection(dsn) as connection:
            return bool(await connection.fetchval("select true"))
    except (DatabaseUnreachable, TimeoutError):
        return False


async def ensure_groups(admin: str) -> None:
    """Create the group roles that the migrations grant to, so that the owner needs no right to create roles. Idempotent."""
    async with _connection(admin) as connection:
        for group in GROUPS:
            if not await connection.fetchval("select true from pg_roles where rolname = $1", group):
                await connection.execute(f"create role {_name(group)} nologin")


async def ensure_login(admin: str, user: str, password: str, member_of: str | None = None) -> None:
    """Create the login user, or set its password. Idempotent."""
    async with _connection(admin) as connection:
        known = await connection.fetchval("select true from pg_roles where rolname = $1", user)
        verb = "alter" if known else "create"
        await connection.execute(f"{verb} role {_name(user)} login password {_text(password)}")
        if member_of:
            await connection.execute(f"grant {_name(member_of)} to {_name(user)}")


async def ensure_database(admin: str, name: str, owner: str) -> None:
    """Create the database. Idempotent."""
    async with _connection(admin) as connection:
        if not await connection.fetchval("select true from pg_database where datname = $1", name):
            await connection.execute(f"create database {_name(name)} owner {_name(owner)}")


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


def _text(literal: str) -> str:
    return "'" + literal.replace("'", "''") + "'"
