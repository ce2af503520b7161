"""The one way to PostgreSQL: a pool in which every wait ends, and the one place where driver errors become ours."""

import asyncio
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, Literal
from urllib.parse import urlsplit

import asyncpg
from asyncpg import exceptions as pg
from asyncpg.pool import PoolConnectionProxy

from adapters.environment.settings import PostgresSettings
from adapters.postgres.connection.security import Password, check_files, hosts_of, password_source, with_advice
from domain.errors import DatabaseUnreachable, InvalidInput

Connection = PoolConnectionProxy
Pool = asyncpg.Pool

ACQUIRE_SECONDS = 15.0  # waiting for one of the pool's connections, opening it included
BULK_SECONDS = 3600.0  # for statements that read or count whole tables; see `bulk`
IDLE_SECONDS = 60.0  # then a connection is closed, so that no batch finds one that a firewall has forgotten
INFRASTRUCTURE = (
    OSError,  # refused, reset, unknown host; TimeoutError is one too
    pg.PostgresConnectionError,
    pg.InvalidAuthorizationSpecificationError,
    pg.InvalidCatalogNameError,
    pg.InsufficientResourcesError,  # disk full, out of memory, too many connections
    pg.OperatorInterventionError,  # shutting down, starting up, statement_timeout
    pg.PostgresSystemError,
    pg.ReadOnlySQLTransactionError,  # the primary has become a standby
    pg.IdleInTransactionSessionTimeoutError,
    pg.TransactionRollbackError,  # deadlock
    pg.LockNotAvailableError,
    pg.InternalClientError,  # the driver lost track when the server went away in mid-statement, or at the pool's own reset
)
SERVER_GONE = {"25006", "57P01", "57P02", "57P03"}  # the pool's other connections lead to the same wrong server


async def open_pool(settings: PostgresSettings, application: str = "tripcast", password: Password | None = None) -> Pool:
    """Open a pool with one connection in it. Raises DatabaseUnreachable, and InvalidInput for an unusable address.

    `password` is asked for every new connection, where neither the address nor the settings give one.
    """
    dsn = settings.dsn()
    try:
        return await asyncpg.create_pool(
            dsn,
            min_size=1,
            max_size=settings.database_pool,
            max_inactive_connection_lifetime=IDLE_SECONDS,
            connect=connecting(dsn, password or password_source(settings, dsn)),
            timeout=settings.database_connect_seconds,
            command_timeout=settings.database_command_seconds,
            server_settings=session_settings(settings.database_command_seconds, application),
        )
    except (pg.ClientConfigurationError, ValueError) as error:
        raise InvalidInput(f"TRIPCAST_DATABASE is not an address of a database: {in_words(error)}") from error


async def open_connection(settings: PostgresSettings, application: str, server_settings: dict[str, str]) -> asyncpg.Connection:
    """A connection of its own, outside every pool. Raises DatabaseUnreachable."""
    dsn = settings.dsn()
    return await connecting(dsn, password_source(settings, dsn))(
        dsn,
        timeout=settings.database_connect_seconds,
        command_timeout=settings.database_command_seconds,
        server_settings=session_settings(settings.database_command_seconds, application) | server_settings,
    )


@asynccontextmanager
async def connected(pool: Pool) -> AsyncIterator[Connection]:
    """A connection, for a short while. Raises DatabaseUnreachable, and never uses again a connection that it happened on."""
    with _translated():
        async with pool.acquire(timeout=ACQUIRE_SECONDS) as connection:
            try:
                yield connection
            except INFRASTRUCTURE as error:
                _retire(connection)
                if _tells_of_all(error):
                    await pool.expire_connections()
                raise
            except pg.InterfaceError as error:
                fault = _fault_behind(error)
                if fault is None and not _is_closed(connection):
                    raise  # our own misuse
                _retire(connection)
                raise DatabaseUnreachable(f"PostgreSQL: {in_words(fault or error)}") from error


@asynccontextmanager
async def transaction(
    connection: Connection, *, isolation: Literal["repeatable_read"] | None = None, readonly: bool = False
) -> AsyncIterator[None]:
    """As asyncpg's own; but where no answer comes in time the connection is given up: a roll-back would wait as long again."""
    begun = connection.transaction(isolation=isolation, readonly=readonly)
    await begun.start()
    try:
        yield
    except TimeoutError:
        _retire(connection)
        raise
    except BaseException:
        await begun.rollback()
        raise
    await begun.commit()


@asynccontextmanager
async def bulk(pool: Pool) -> AsyncIterator[Connection]:
    """A consistent view of the database, read-only, for statements of up to BULK_SECONDS; pass that as their timeout."""
    async with connected(pool) as connection, transaction(connection, isolation="repeatable_read", readonly=True):
        await connection.execute(f"set local statement_timeout = '{BULK_SECONDS}s'; set local work_mem = '128MB'")
        yield connection


def address_of(dsn: str) -> str:
    """Host, port and database of an address, without user and password."""
    parts = urlsplit(dsn)
    return f"{parts.netloc.rpartition('@')[2]}{parts.path}"


def in_words(error: BaseException) -> str:
    """The first line of what an error says; some say nothing."""
    if isinstance(error, TimeoutError) and not str(error):
        return "no answer within the deadline"
    return with_advice((str(error).splitlines() or [type(error).__name__])[0])


def connecting(dsn: str, password: Password | None = None) -> Callable[..., Coroutine[Any, Any, asyncpg.Connection]]:
    """How a pool connects: like asyncpg, but with our errors, which name the address, and host by host.

    Asyncpg has one deadline for all hosts of an address, and a dead machine that swallows packets would use it up for the
    others; as in libpq, each host has its own here. The one that answered last is asked first. Raises InvalidInput for
    certificates that are not there.
    """
    check_files(dsn)
    hosts = hosts_of(dsn)

    async def connect(*args: Any, **options: Any) -> asyncpg.Connection:  # noqa: ANN401 - asyncpg's own options
        if password is not None:
            options["password"] = lambda: asyncio.to_thread(password)
        with _translated(f" at {address_of(dsn)}"):
            if len(hosts) < 2:  # noqa: PLR2004 - one, or another way to name them
                return await asyncpg.connect(*args, **options)
            return await _first_of(hosts, *args, **options)

    return connect


async def _first_of(hosts: list[tuple[str, int]], *args: Any, **options: Any) -> asyncpg.Connection:  # noqa: ANN401
    """Of the first host that is what the address asks for; it goes to the front. Raises the last host's error."""
    for host, port in list(hosts):
        try:
            connection = await asyncpg.connect(*args, **options, host=host, port=port)
        except INFRASTRUCTURE as error:
            failure = error
        else:
            hosts.remove((host, port))
            hosts.insert(0, (host, port))
            return connection
    raise failure


@contextmanager
def _translated(where: str = "") -> Iterator[None]:
    """Everything infrastructural becomes DatabaseUnreachable; programming errors and bad data stay loud."""
    try:
        yield
    except INFRASTRUCTURE as error:
        raise DatabaseUnreachable(f"PostgreSQL{where}: {in_words(error)}") from error


def _tells_of_all(error: BaseException) -> bool:
    """Whether the pool's other connections are in doubt: the server is a wrong one now, or gone without a word (half-open)."""
    return isinstance(error, TimeoutError) or getattr(error, "sqlstate", None) in SERVER_GONE


def _retire(connection: Connection) -> None:
    with suppress(pg.InterfaceError):  # the server has closed it, and the pool has taken it back already
        connection.terminate()


def _fault_behind(error: BaseException) -> BaseException | None:
    """The fault that led to an error of asyncpg's own: the roll-back after it fails too, and hides it.

    A connection that is lost in the middle of a COPY shows as InternalClientError, before asyncpg knows it to be closed.
    """
    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, (*INFRASTRUCTURE, pg.InternalClientError)):
        behind = behind.__context__
    return behind


def _is_closed(connection: Connection) -> bool:
    try:
        return connection.is_closed()
    except pg.InterfaceError:
        return True


def session_settings(command_seconds: float, application: str) -> dict[str, str]:
    """The server gives up as the client does, so that a lost or frozen client holds its locks no longer than that."""
    deadline_ms = str(int(command_seconds * 1000))
    return {
        "application_name": application,
        "statement_timeout": deadline_ms,
        "idle_in_transaction_session_timeout": deadline_ms,
        "tcp_keepalives_idle": "30",
        "tcp_keepalives_interval": "10",
        "tcp_keepalives_count": "3",
        "client_connection_check_interval": "5s",
        "jit": "off",  # compiling costs more than it saves on statements of milliseconds
    }
