"""Brings the database to the schema of this program, and says in words when it is not there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import asyncpg

from adapters.postgres.connection.pool import Connection, address_of, connected, in_words
from adapters.postgres.connection.security import Password, check_files
from domain.errors import ConcurrentUpdate, DatabaseUnreachable, InvalidInput, SchemaMismatch

REVISION = "0005"  # the newest file in MIGRATIONS
MIGRATIONS = Path(__file__).parents[1] / "migrations"
LOCK_KEY = 8_747_227_801  # any number, the same in all versions of tripcast
LOCK_SECONDS = 120
CONNECT_SECONDS = 10


def migrate(dsn: str, password: Password | None = None) -> None:
    """Upgrade to REVISION in one transaction; idempotent. Of several processes one migrates and the others wait for it.

    `password` is asked where the address has none.

    Raises DatabaseUnreachable, ConcurrentUpdate when another migration takes longer than LOCK_SECONDS, and SchemaMismatch
    when the database is newer than this program; InvalidInput when the login may not create tables or roles.
    """
    from alembic import command  # noqa: PLC0415 - loads sqlalchemy, which the worker must not pay for
    from alembic.config import Config  # noqa: PLC0415
    from sqlalchemy import create_engine  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    check_files(dsn)
    engine = create_engine("postgresql+psycopg2://", creator=lambda: _connected(dsn, password))
    try:
        with _errors_in_words(dsn), engine.begin() as connection:
            connection.exec_driver_sql(f"set local lock_timeout = '{LOCK_SECONDS}s'")
            connection.exec_driver_sql(f"select pg_advisory_xact_lock({LOCK_KEY})")
            if connection.exec_driver_sql("select to_regclass('alembic_version')").scalar() is not None:
                _refuse_newer(connection.exec_driver_sql("select version_num from alembic_version").scalar())
            config.attributes["connection"] = connection
            command.upgrade(config, REVISION)
    finally:
        engine.dispose()


async def check_schema(pool: asyncpg.Pool) -> None:
    """Return when the database has this program's schema. Raises SchemaMismatch in words, and DatabaseUnreachable."""
    async with connected(pool) as connection:
        await check_schema_on(connection)


async def check_schema_on(connection: Connection | asyncpg.Connection) -> None:
    """The same on a connection that is open."""
    stored = await connection.fetchval("select to_regclass('alembic_version')::text")
    if stored is not None:
        stored = await connection.fetchval("select version_num from alembic_version")
    if stored is None:
        raise SchemaMismatch("the database has no tables of tripcast yet: run `tripcast migrate`")
    _refuse_newer(stored)
    if stored < REVISION:
        raise SchemaMismatch(f"the database has schema {stored} and this program needs {REVISION}: run `tripcast migrate`")


def _refuse_newer(stored: str | None) -> None:
    if stored is not None and stored > REVISION:
        raise SchemaMismatch(
            f"the database has schema {stored}, which is newer than the {REVISION} of this program: install a newer tripcast"
        )


@contextmanager
def _errors_in_words(dsn: str) -> Iterator[None]:
    import psycopg2  # noqa: PLC0415 - see migrate
    from sqlalchemy.exc import DBAPIError  # noqa: PLC0415

    try:
        yield
    except DBAPIError as error:
        if isinstance(error.orig, psycopg2.errors.LockNotAvailable):
            raise ConcurrentUpdate(f"another process has been migrating the database for {LOCK_SECONDS} s") from error
        if isinstance(error.orig, psycopg2.errors.InsufficientPrivilege):
            raise InvalidInput(
                f"the login at {address_of(dsn)} may not create what tripcast needs ({in_words(error.orig)}): let "
                "`tripcast prepare` create it with TRIPCAST_ADMIN_DATABASE first"
            ) from error
        if isinstance(error.orig, psycopg2.OperationalError):
            raise DatabaseUnreachable(f"PostgreSQL at {address_of(dsn)}: {in_words(error.orig)}") from error
        raise


def _connected(dsn: str, password: Password | None) -> Any:  # noqa: ANN401 - the driver's own connection
    import psycopg2  # noqa: PLC0415 - see migrate

    return psycopg2.connect(dsn, connect_timeout=CONNECT_SECONDS, password=None if password is None else password())
