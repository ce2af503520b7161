"""Migrations: from nothing, again, all at once; and versions that do not fit are told in words."""

import asyncio
import uuid
from collections.abc import Iterator

import asyncpg
import psycopg2
import pytest

from adapters.environment.settings import PostgresSettings
from adapters.postgres.admin import migrate as migrations
from adapters.postgres.admin.local_server import drop_database, ensure_database
from adapters.postgres.admin.migrate import MIGRATIONS, REVISION, check_schema, migrate
from adapters.postgres.connection.pool import open_pool
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


BEFORE_MONTHS = """
insert into event_sources (cluster_id, topic, topic_uuid) values ('c', 't', gen_random_uuid());
insert into trips select 't' || n, 1, 2, '2015-11-28Z'::timestamptz + n * interval '1 hour', 40.7, -74, 40.8, -73.9,
    1, n % 2, n, now(), case when n % 3 = 0 then 'trace-' || n end, now() from generate_series(1, 3000) as n;
insert into trips (trip_id, vendor_id, passenger_count, pickup_at, pickup_latitude, pickup_longitude, dropoff_latitude,
    dropoff_longitude) values ('loaded', 1, 1, '2009-01-01Z', 1, 2, 3, 4);
insert into completions select trip_id, pickup_at, pickup_at + interval '9 minutes', false, 1, partition, record_offset + 5000
    from trips where record_offset % 5 <> 0;
insert into completions values ('early', '2017-02-28 23:59:59.999999Z', '2017-03-01Z', true, 1, 0, 9001);
insert into predictions select trip_id, role, 7, 'schema', record_offset + 0.1, 1, 2, now(), 1, partition, record_offset
    from trips, unnest('{champion, challenger}'::prediction_role[]) as role where source_id is not null;
insert into predictions values ('orphan', 'champion', 7, 'schema', 1, 1, 1, '2016-05-05Z', 1, 0, 9002);
insert into expirations values ('t1', now(), now());
grant select, update on trips to tripcast_api;
grant select (trip_id) on predictions to public;
grant delete on completions to public;
"""
ALL_ROWS = {
    "trips": "select md5(string_agg(t::text, ',' order by trip_id)) from trips as t",
    "completions": "select md5(string_agg(c::text, ',' order by trip_id)) from completions as c",
    "predictions": """select md5(string_agg(concat_ws(',', trip_id, role, model_version, feature_schema, duration_seconds,
        lower_seconds, upper_seconds, scored_at, source_id, partition, record_offset), ';' order by trip_id, role))
        from predictions""",
}
GRANTS = """
select string_agg(format('%s %s %s', table_name, grantee, privilege_type), ',' order by table_name, grantee, privilege_type)
from information_schema.role_table_grants where table_name in ('trips', 'completions', 'predictions')
"""
INDEXES = """
select string_agg(format('%s %s %s', c.relname, am.amname, array_to_string(c.reloptions, ' ')), ',' order by c.relname)
from pg_index as i join pg_class as c on c.oid = indexrelid join pg_am as am on am.oid = c.relam
where indrelid in ('trips'::regclass, 'completions'::regclass, 'predictions'::regclass)
"""


def test_history_of_before_the_months_is_moved_into_them_and_no_row_or_right_is_lost(
    empty_database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "REVISION", "0004")
        migrate(empty_database)
    for statement in BEFORE_MONTHS.split(";")[:-1]:
        _execute(empty_database, statement)
    before = {
        name: _fetch(empty_database, query) for name, query in (ALL_ROWS | {"grants": GRANTS, "indexes": INDEXES}).items()
    }
    migrate(empty_database)
    asyncio.run(_check(empty_database))
    after = {name: _fetch(empty_database, query) for name, query in (ALL_ROWS | {"grants": GRANTS, "indexes": INDEXES}).items()}
    keyed = str(before["indexes"]).replace("trips_by_record", "trips_by_id btree ,trips_by_record")
    before["indexes"] = keyed.replace(
        "trips_by_pickup brin pages_per_range=32 autosummarize=on,", ""
    )  # the key is by pickup now
    assert after == before
    assert _fetch(empty_database, "select count(*) from only trips_2015_12") == 31 * 24
    assert _fetch(empty_database, "select trip_id from completions_2017_02") == "early"
    assert _fetch(empty_database, "select trip_id from predictions_2016_05 where trip_id = 'orphan'") == "orphan"
    joined = "select count(*) from predictions join trips using (trip_id, pickup_at)"
    assert _fetch(empty_database, joined) == 6000
    assert _fetch(empty_database, "select count(*) from pg_index where indrelid = 'trips_2015_12'::regclass") == 3
    assert _fetch(empty_database, "select to_regclass('trips_before')") is None
    granted = "select attname from pg_attribute where attrelid = 'predictions'::regclass and attacl::text like '%=r/%'"
    assert _fetch(empty_database, granted) == "trip_id"


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
