"""Every fault of the server or the network becomes DatabaseUnreachable, in time, and its connection is not used again."""

import asyncio
from collections.abc import AsyncIterator
from typing import Self
from urllib.parse import urlsplit

import asyncpg
import pytest
from asyncpg.transaction import Transaction

from adapters.environment.settings import PostgresSettings
from adapters.postgres.connection import pool as adapter
from adapters.postgres.connection.pool import Pool, address_of, connected, open_pool, transaction
from cli.embedded.ports import free_ports
from domain.errors import DatabaseUnreachable, InvalidInput
from tests.proxy import Proxy


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    opened = await open_pool(PostgresSettings(database=database, database_pool=2), "tripcast-test")
    yield opened
    await opened.close()


class _Freezer:
    """A road to the server on which, while `frozen`, everything disappears."""

    def __init__(self, database: str) -> None:
        parts = urlsplit(database)
        self._target = (parts.hostname, parts.port)
        self._login, self._path = parts.netloc.rpartition("@")[0], parts.path
        self._ways: set[asyncio.Task[None]] = set()
        self.frozen = False

    @property
    def address(self) -> str:
        return f"postgresql://{self._login}@127.0.0.1:{self._server.sockets[0].getsockname()[1]}{self._path}?sslmode=disable"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *error: object) -> None:
        self._server.close()
        for way in self._ways:
            way.cancel()
        await asyncio.gather(*self._ways, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(*self._target)
        for source, sink in ((reader, server_writer), (server_reader, writer)):
            self._ways.add(asyncio.create_task(self._forward(source, sink)))

    async def _forward(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while content := await source.read(65536):
                if not self.frozen:
                    sink.write(content)
        finally:
            sink.close()


async def _pid(pool: Pool) -> int:
    async with connected(pool) as connection:
        return int(await connection.fetchval("select pg_backend_pid()"))


class TestOpening:
    async def test_a_closed_port_is_named_without_the_password(self) -> None:
        with pytest.raises(DatabaseUnreachable, match=r"127\.0\.0\.1:1/tripcast") as raised:
            await open_pool(PostgresSettings(database="postgresql://someone:geheim@127.0.0.1:1/tripcast"))
        assert "geheim" not in str(raised.value)

    async def test_a_wrong_password_is_said(self, database: str) -> None:
        user, _, place = database.removeprefix("postgresql://").partition("@")
        with pytest.raises(DatabaseUnreachable, match="password"):
            await open_pool(PostgresSettings(database=f"postgresql://{user.partition(':')[0]}:wrong@{place}"))

    async def test_an_unknown_database_is_said(self, database: str) -> None:
        with pytest.raises(DatabaseUnreachable, match="does not exist"):
            await open_pool(PostgresSettings(database=database.rpartition("/")[0] + "/nowhere"))

    @pytest.mark.parametrize("address", ["mysql://there/x", "postgresql://host:port/x", "tripcast"])
    async def test_what_is_no_address_is_said(self, address: str) -> None:
        with pytest.raises(InvalidInput, match="TRIPCAST_DATABASE"):
            await open_pool(PostgresSettings(database=address))

    async def test_a_server_that_accepts_and_never_answers_is_given_up(self) -> None:
        async def keep_silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()
            writer.close()
            await writer.wait_closed()
            closed.set()

        closed = asyncio.Event()
        server = await asyncio.start_server(keep_silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        settings = PostgresSettings(database=f"postgresql://a@127.0.0.1:{port}/x", database_connect_seconds=0.2)
        async with server:
            with pytest.raises(DatabaseUnreachable, match="within the deadline"):
                await open_pool(settings)
            await closed.wait()

    async def test_the_server_knows_our_deadlines(self, pool: Pool) -> None:
        names = ("application_name", "statement_timeout", "idle_in_transaction_session_timeout", "jit")
        async with connected(pool) as connection:
            found = [await connection.fetchval("select current_setting($1)", name) for name in names]
        assert found == ["tripcast-test", "30s", "30s", "off"]


class TestFaults:
    async def test_a_connection_that_the_server_ends_is_replaced(self, pool: Pool) -> None:
        before = await _pid(pool)
        with pytest.raises(DatabaseUnreachable, match="administrator"):
            async with connected(pool) as connection, connection.transaction():
                await connection.execute("select pg_terminate_backend(pg_backend_pid())")
        assert await _pid(pool) != before

    async def test_a_connection_that_closes_between_two_statements_is_said(self, pool: Pool) -> None:
        async def end_and_ask() -> None:
            async with connected(pool) as connection, connection.transaction():
                connection.terminate()
                await connection.execute("select 1")

        with pytest.raises(DatabaseUnreachable):
            await end_and_ask()
        await _pid(pool)

    # Disk full, shut down, starting up, deadlock, standby, input/output error, too many connections, lock not available.
    @pytest.mark.parametrize("state", ["53100", "57P01", "57P03", "40P01", "25006", "58030", "53300", "55P03"])
    async def test_what_the_server_cannot_help_is_infrastructure(self, pool: Pool, state: str) -> None:
        before = await _pid(pool)
        with pytest.raises(DatabaseUnreachable):
            async with connected(pool) as connection:
                await connection.execute(f"do $$ begin raise exception 'planted' using errcode = '{state}'; end $$")
        assert await _pid(pool) != before

    async def test_after_a_failover_no_old_connection_is_used(self, pool: Pool) -> None:
        async with connected(pool) as one, connected(pool) as two:
            before = {await one.fetchval("select pg_backend_pid()"), await two.fetchval("select pg_backend_pid()")}
        with pytest.raises(DatabaseUnreachable, match="read-only"):
            async with connected(pool) as connection, connection.transaction(readonly=True):
                await connection.execute("create table t ()")
        async with connected(pool) as one, connected(pool) as two:
            after = {await one.fetchval("select pg_backend_pid()"), await two.fetchval("select pg_backend_pid()")}
        assert not before & after

    async def test_a_statement_that_takes_too_long_is_cancelled(self, database: str) -> None:
        pool = await open_pool(PostgresSettings(database=database, database_command_seconds=0.2))
        with pytest.raises(DatabaseUnreachable):
            async with connected(pool) as connection:
                await connection.execute("select pg_sleep(60)")
        await pool.close()

    async def test_waiting_for_a_connection_ends(self, pool: Pool, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(adapter, "ACQUIRE_SECONDS", 0.1)
        async with connected(pool), connected(pool):
            with pytest.raises(DatabaseUnreachable, match="within the deadline"):
                await _pid(pool)

    async def test_a_lost_connection_that_asyncpg_takes_for_its_own_error_is_a_fault(self, pool: Pool) -> None:
        """Seen in 5% of COPYs whose server process was ended: then the roll-back fails too, with an error of its own."""

        async def lose() -> None:
            async with connected(pool):
                error = asyncpg.InterfaceError("cannot perform operation: another operation is in progress")
                error.__context__ = asyncpg.InternalClientError("cannot switch to state 21; another operation is in progress")
                raise error

        before = await _pid(pool)
        with pytest.raises(DatabaseUnreachable, match="cannot switch"):
            await lose()
        assert await _pid(pool) != before

    async def test_a_frozen_server_is_given_up(self, database: str) -> None:
        async with _Freezer(database) as freezer:
            settings = PostgresSettings(database=freezer.address, database_command_seconds=0.3)
            pool = await open_pool(settings)
            await _pid(pool)
            freezer.frozen = True
            with pytest.raises(DatabaseUnreachable, match="within the deadline"):
                await _pid(pool)
            freezer.frozen = False
            await _pid(pool)
            await pool.close()

    async def test_a_half_open_connection_puts_the_others_in_doubt(self, database: str) -> None:
        proxy = Proxy(free_ports(1)[0], urlsplit(database).port or 0)
        await proxy.heal()
        way = database.replace(f":{proxy.target}/", f":{proxy.port}/")
        pool = await open_pool(PostgresSettings(database=way, database_command_seconds=0.3, database_pool=2))
        async with connected(pool) as one, connected(pool) as other:
            assert await one.fetchval("select 1") == await other.fetchval("select 1") == 1
        await proxy.abandon()
        with pytest.raises(DatabaseUnreachable, match="within the deadline"):
            await _pid(pool)
        await _pid(pool)  # the other one is as dead, and its deadline is not waited for
        await pool.close()
        await proxy.cut()

    async def test_a_transaction_without_an_answer_waits_for_no_roll_back(
        self, database: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The server would never hear it, and it would cost a second deadline."""
        rolled_back: list[Transaction] = []
        monkeypatch.setattr(Transaction, "rollback", rolled_back.append)
        proxy = Proxy(free_ports(1)[0], urlsplit(database).port or 0)
        await proxy.heal()
        way = database.replace(f":{proxy.target}/", f":{proxy.port}/")
        pool = await open_pool(PostgresSettings(database=way, database_command_seconds=0.3))

        async def meet_silence() -> None:
            async with connected(pool) as connection, transaction(connection):
                await proxy.abandon()
                await connection.execute("select 1")

        with pytest.raises(DatabaseUnreachable, match="within the deadline"):
            await meet_silence()
        assert rolled_back == []
        await _pid(pool)
        await pool.close()
        await proxy.cut()

    async def test_a_transaction_that_fails_is_rolled_back(self, pool: Pool) -> None:
        async def fail() -> None:
            async with connected(pool) as connection, transaction(connection):
                await connection.execute("create table nowhere ()")
                raise KeyError

        with pytest.raises(KeyError):
            await fail()
        async with connected(pool) as connection:
            assert await connection.fetchval("select to_regclass('nowhere')") is None
            assert not connection.is_in_transaction()

    async def test_our_own_mistakes_stay_loud(self, pool: Pool) -> None:
        with pytest.raises(asyncpg.UndefinedTableError):
            async with connected(pool) as connection:
                await connection.execute("select * from no_such_table")
        with pytest.raises(asyncpg.InterfaceError):
            async with connected(pool) as connection:
                await connection.fetch("select $1::int")


def test_an_address_is_shown_without_its_user() -> None:
    assert address_of("postgresql://someone:geheim@db.example:5433/trips?sslmode=require") == "db.example:5433/trips"
