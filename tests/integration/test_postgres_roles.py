"""What the worker's and the board's logins may do: the worker all that a StreamStore does, and nothing to the past."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest

from adapters.environment.settings import PostgresSettings
from adapters.postgres.admin.migrate import check_schema
from adapters.postgres.api.quality import mature_error
from adapters.postgres.connection.locks import Leadership
from adapters.postgres.connection.pool import Pool, connected, open_pool
from adapters.postgres.loop.requests import answer
from adapters.postgres.loop.store import LoopStore
from adapters.postgres.stream.store import Streams
from cli.embedded.postgres import BOARD, WORKER, EmbeddedPostgres
from domain.entities.models import LifecycleEvent
from domain.entities.streams import StreamSource
from domain.loop.decisions import Outcome, Record, Request, RequestKind, ShadowChanged
from domain.loop.journal import Entry, Round
from domain.loop.tracker import Reach
from tests.batches import End, Nothing, Poison, Refusals, Start, batch_of
from tests.tallied import GRID, whole
from tests.trips import random_trips

HISTORY = ("trips", "predictions", "completions", "dead_letters", "skipped_records", "lifecycle_events")
LOOP = ("loop_journal", "loop_requests", "expirations")
SUMS = ("quality_minutes", "monitor_positions", "open_tallies", "gate_results", "model_baselines")
MINUTE = 24280860


def _as(user: str, postgres_server: EmbeddedPostgres, database: str) -> PostgresSettings:
    return PostgresSettings(database=postgres_server.address(user, database.rpartition("/")[2]))


@pytest.fixture
async def worker(postgres_server: EmbeddedPostgres, database: str) -> AsyncIterator[Pool]:
    pool = await open_pool(_as(WORKER, postgres_server, database))
    yield pool
    await pool.close()


@pytest.fixture
async def board(postgres_server: EmbeddedPostgres, database: str) -> AsyncIterator[Pool]:
    pool = await open_pool(_as(BOARD, postgres_server, database))
    yield pool
    await pool.close()


async def test_the_worker_does_all_its_work_in_its_own_role(worker: Pool) -> None:
    await check_schema(worker)
    store, refusals = Streams(worker), Refusals()
    source = StreamSource("cluster", "trip-events", uuid.uuid4())
    source_id = await store.register(source)
    assert await store.previous_source(source) is None
    await store.open_partition(source_id, 0, 0)
    await store.mark_suspect(source_id, 0, 0)
    await store.write(source_id, batch_of([Start("a"), Poison(), Nothing(), End("a"), End("b")]), refusals)
    receipt = await store.write(source_id, batch_of([Start("a"), End("a", lasted=9), Start("b")], {0: 5}), refusals)
    assert (receipt.repeats, receipt.dead_letters, receipt.settled) == (1, 1, 1)
    await store.mark_published(source_id, {0: 8})
    assert len((await store.unpublished(source_id, 0, 0, 10))[0].predictions) == 2
    assert (await store.positions(source_id, [0]))[0].published_offset == 8
    await store.record(LifecycleEvent("range_lost", "trip-events/0", "worker", "retention", datetime.now(UTC)))
    await mature_error(worker)


async def test_the_worker_hosts_the_loop_in_its_own_role(
    worker: Pool, postgres_server: EmbeddedPostgres, database: str
) -> None:
    store, source_id = LoopStore(worker, GRID, 120), await Streams(worker).register(StreamSource("c", "t", uuid.uuid4()))
    await Streams(worker).open_partition(source_id, 0, 0)
    await Streams(worker).write(source_id, batch_of([Start("a")]), Refusals())
    for number in range(2):  # the second is an update
        standing = await store.standing(source_id)
        tally = whole(random_trips(5))
        after = replace(
            standing, seq=number + 1, reaches={0: Reach(number + 1, MINUTE)}, open=tally, closed_until=MINUTE + 1500
        )
        asked = Request(RequestKind.RETRAINING, f"episode {number}", "why", MINUTE)
        entries, decisions = (
            (Entry(number + 1, ShadowChanged(2), MINUTE),),
            (asked, Record("drift.alarm", "city", "why", MINUTE)),
        )
        before = {0: standing.reaches[0].next_offset}
        stored = await store.commit(source_id, Round(before, after, tally.cells, entries, decisions, ((MINUTE, MINUTE + 60),)))
        assert stored.expired == 1 - number
    assert (await store.unlearnt(), await store.baseline(1, None), await store.rolled_back(1)) == ([], None, False)
    assert [len(part) async for part in store.entries(2)] == [2]
    assert len(await store.owed(0)) == 4
    assert await store.committed(source_id) == {0: 1}
    assert len((await store.stretch(source_id, 0, (0, 1))).started) == 1
    leadership = Leadership(_as(WORKER, postgres_server, database), "loop")
    assert await leadership.ask()
    leadership.end()


async def test_the_worker_answers_no_request_and_makes_no_verdict(worker: Pool) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await answer(worker, 1, Outcome.DONE, "by myself")
    for table in ("gate_results", "model_baselines"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with connected(worker) as connection:
                await connection.execute(f"insert into {table} default values")


@pytest.mark.parametrize("table", [*HISTORY, *LOOP])
@pytest.mark.parametrize("statement", ["delete from {0}", "truncate {0}", "drop table {0}", "update {0} set {1} = {1}"])
async def test_the_worker_cannot_change_the_past(worker: Pool, table: str, statement: str) -> None:
    column = {"trips": "trip_id", "predictions": "trip_id", "completions": "trip_id", "expirations": "trip_id"}
    column |= {"loop_journal": "kind"}
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with connected(worker) as connection:
            await connection.execute(statement.format(table, column.get(table, "reason")))


@pytest.mark.parametrize("column", ["start_offset", "source_id", "partition"])
async def test_the_worker_cannot_rewrite_where_it_began(worker: Pool, column: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with connected(worker) as connection:
            await connection.execute(f"update stream_offsets set {column} = {column}")


@pytest.mark.parametrize("table", ["loaded_files", "rejected_rows", "training_runs", "alembic_version"])
async def test_the_worker_has_no_business_with_other_tables(worker: Pool, table: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with connected(worker) as connection:
            await connection.execute(f"insert into {table} default values")


async def test_the_board_reads_and_sees_no_payloads(board: Pool) -> None:
    async with connected(board) as connection:
        for table in (
            "trips",
            "predictions",
            "completions",
            "stream_offsets",
            "lifecycle_events",
            "training_runs",
            *LOOP,
            *SUMS,
        ):
            await connection.fetch(f"select * from {table}")
        await connection.fetch("select reason, count(*) from dead_letters group by reason")
        for query in (
            "select value from dead_letters",
            "select header_values from dead_letters",
            "select * from rejected_rows",
        ):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(query)


async def test_the_board_writes_nothing(board: Pool) -> None:
    async with connected(board) as connection:
        for table in (*HISTORY, *LOOP, *SUMS, "stream_offsets", "event_sources"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(f"insert into {table} default values")


WRITES = {
    "tripcast_api": {
        "INSERT": {"lifecycle_events", "served_predictions", "service_minutes"},
    },
    "tripcast_board": {},
    "tripcast_worker": {
        "INSERT": {
            *("trips", "predictions", "completions", "dead_letters", "skipped_records", "lifecycle_events", "loop_journal"),
            *("loop_requests", "expirations", "quality_minutes", "area_minutes", "drift_signals", "monitor_positions"),
            *("open_tallies", "stream_offsets", "stream_suspects", "event_sources"),
        },
        "UPDATE": {"stream_suspects"},
        "DELETE": {"stream_suspects"},  # who died on what: no history
    },
}

COLUMNS = {  # what a role may do with some columns of a table alone
    ("tripcast_api", "UPDATE"): {
        "dead_letters": {"replayed_at"},
        "service_minutes": {
            *("seconds_seen", "received", "scored", "quarantined", "latency_counts", "lag_events", "lag_seconds"),
            *("event_time", "requests"),
        },
    },
    ("tripcast_board", "SELECT"): {
        "dead_letters": {
            *("dead_letter_id", "source_id", "partition", "record_offset", "record_at", "reason", "detail", "recorded_at"),
            "replayed_at",
        },
    },
    ("tripcast_worker", "UPDATE"): {
        "area_minutes": {"trips", "predicted_ds"},
        "monitor_positions": {"next_offset", "newest"},
        "open_tallies": {"body", "closed_until", "expired_until", "announced_event_id", "updated_at"},
        "quality_minutes": {
            *("started", "settled", "error_ds", "abs_error_ds", "square_error_ds2", "log_ratio_u", "square_log_ratio_u"),
            "covered",
        },
        "stream_offsets": {"next_offset", "published_offset", "updated_at"},
    },
}
GRANTED_COLUMNS = """
select granted.grantee::regrole::text as role, granted.privilege_type, relname, attname
from pg_class join pg_attribute on attrelid = pg_class.oid, aclexplode(attacl) as granted
where relnamespace = 'public'::regnamespace
"""


async def test_no_login_has_a_right_to_columns_beyond_these(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        rows = await connection.fetch(GRANTED_COLUMNS)
    finally:
        await connection.close()
    found: dict[tuple[str, str], dict[str, set[str]]] = {}
    for role, privilege, table, column in rows:
        found.setdefault((role, privilege), {}).setdefault(table, set()).add(column)
    assert found == COLUMNS


async def test_no_login_has_a_right_beyond_these(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        rows = await connection.fetch(
            "select grantee, privilege_type, table_name from information_schema.role_table_grants "
            "where table_schema = 'public' and grantee <> current_user and privilege_type <> 'SELECT'"
        )
        strangers = await connection.fetch(
            "select grantee, table_name from information_schema.role_table_grants where table_schema = 'public' "
            "and (grantee = 'PUBLIC' or table_name = 'api_keys' and grantee not in (current_user, 'tripcast_api'))"
        )
        powers = await connection.fetch(
            "select rolname from pg_roles where rolname like 'tripcast%' "
            "and (rolsuper or rolcreatedb or rolcreaterole or rolbypassrls or rolreplication)"
        )
        unsafe = await connection.fetch(  # a function with its owner's rights must not find a caller's temporary table first
            "select proname from pg_proc where pronamespace = 'public'::regnamespace and prosecdef "
            "and not coalesce(proconfig::text like '%search_path=%pg_temp%', false)"
        )
    finally:
        await connection.close()
    found: dict[str, dict[str, set[str]]] = {role: {} for role in WRITES}
    for role, privilege, table in rows:
        found[role].setdefault(privilege, set()).add(table)
    assert found == WRITES
    assert [strangers, powers, unsafe] == [[], [], []]


@pytest.mark.parametrize(
    "statement",
    [
        "create table theirs (x int)",
        "create schema theirs",
        "create function theirs() returns int language sql as 'select 1'",
        "copy (select 1) to program 'id'",
        "select pg_read_file('/etc/passwd')",
        "select * from pg_authid",
        "select * from api_keys",
        "set role tripcast",
        "alter role tripcast_app_worker superuser",
    ],
)
async def test_a_workers_login_in_the_wrong_hands_reaches_nothing_else(worker: Pool, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with connected(worker) as connection:
            await connection.execute(statement)
