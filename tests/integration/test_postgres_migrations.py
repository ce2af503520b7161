"""Migrations: from nothing, again, all at once; and versions that do not fit are told in words."""

import asyncio
import uuid
from collections.abc import Iterator

import asyncpg
import psycopg2
import pytest

from adapters.environment.settings import PostgresSettings
from adapters.postgres import migrate as migrations
from adapters.postgres.connection import open_pool
from adapters.postgres.local_server import drop_database, ensure_database
from adapters.postgres.migrate import MIGRATIONS, REVISION, check_schema, migrate
from cli.embedded.postgres import OWNER, EmbeddedPostgres
from domain.errors import ConcurrentUpdate, DatabaseUnreachable, SchemaMismatch

FIRST_SCHEMA_ROW = """
insert into trips (trip_id, vendor_id, passenger_count, pickup_at, pickup_latitude, pickup_longitude, dropoff_latitude,
    dropoff_longitude) values ('a', 1, 2, now(), 40.7, -74, 40.8, -73.9)
"""


@pytest.fixture
def empty_database(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    name = f"empty_{uuid.uuid4().hex[:12]}"
    ensure_database(postgres_server.admin, name, owner=OWNER)
    yield postgres_server.address(OWNER, name)
    asyncio.run(drop_database(postgres_server.admin, name))


def test_the_revision_of_the_program_is_the_newest_file() -> None:
    newest = max(MIGRATIONS.glob("*.sql"))
    assert newest.name.startswith(f"{REVISION}_")
    assert (MIGRATIONS / "versions" / newest.with_suffix(".py").name).exists()


def test_migrating_again_changes_nothing(database: str) -> None:
    _execute(database, "insert into event_sources (cluster_id, topic, topic_uuid) values ('c', 't', gen_random_uuid())")
    migrate(database)
    assert _fetch(database, "select count(*) from event_sources") == 1


def test_a_database_of_the_first_schema_keeps_its_rows(empty_database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "REVISION", "0001")
        migrate(empty_database)
    assert _fetch(empty_database, "select to_regclass('quality_minutes')") is None
    _execute(empty_database, "insert into event_sources (cluster_id, topic, topic_uuid) values ('c', 't', gen_random_uuid())")
    _execute(empty_database, FIRST_SCHEMA_ROW)
    migrate(empty_database)
    asyncio.run(_check(empty_database))
    assert _fetch(empty_database, "select passenger_count from trips where trip_id = 'a'") == 2
    assert _fetch(empty_database, "select count(*) from event_sources") == 1
    assert _fetch(empty_database, "select count(*) from quality_minutes") == 0


def test_a_database_without_tables_asks_for_the_migration(empty_database: str) -> None:
    with pytest.raises(SchemaMismatch, match="tripcast migrate"):
        asyncio.run(_check(empty_database))


def test_an_older_schema_asks_for_the_migration(database: str) -> None:
    _execute(database, "update alembic_version set version_num = '0000'")
    with pytest.raises(SchemaMismatch, match=f"has schema 0000 and this program needs {REVISION}: run `tripcast migrate`"):
        asyncio.run(_check(database))


def test_a_newer_schema_asks_for_a_newer_program_and_is_left_alone(database: str) -> None:
    _execute(database, "update alembic_version set version_num = '9999'")
    with pytest.raises(SchemaMismatch, match="9999, which is newer"):
        asyncio.run(_check(database))
    with pytest.raises(SchemaMismatch, match="9999, which is newer"):
        migrate(database)


def test_a_migration_that_waits_too_long_for_another_gives_up(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "LOCK_SECONDS", 0.2)
    with psycopg2.connect(database) as other, other.cursor() as cursor:
        cursor.execute(f"select pg_advisory_xact_lock({migrations.LOCK_KEY})")
        with pytest.raises(ConcurrentUpdate):
            migrate(database)
    other.close()


def test_a_server_that_is_not_there_is_named_without_its_password() -> None:
    with pytest.raises(DatabaseUnreachable, match=r"127\.0\.0\.1:1/tripcast") as raised:
        migrate("postgresql://someone:geheim@127.0.0.1:1/tripcast")
    assert "geheim" not in str(raised.value)


async def _check(address: str) -> None:
    pool = await open_pool(PostgresSettings(database=address))
    try:
        await check_schema(pool)
    finally:
        await pool.close()


def _execute(address: str, statement: str) -> None:
    _run(address, "execute", statement)


def _fetch(address: str, query: str) -> object:
    return _run(address, "fetchval", query)


def _run(address: str, method: str, statement: str) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(address)
        try:
            return await getattr(connection, method)(statement)
        finally:
            await connection.close()

    return asyncio.run(run())
