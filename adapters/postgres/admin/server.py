"""What an administrator does to a server before tripcast uses it: groups, logins and databases, each only when it lacks."""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import asyncpg
import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812 - a class that is named like a function
from psycopg2.extensions import encrypt_password
from psycopg2.sql import SQL, Composable, Identifier, Literal

from adapters.postgres.connection.pool import address_of, connecting, in_words
from adapters.postgres.connection.security import Password, check_files
from domain.errors import ConcurrentUpdate, DatabaseUnreachable, InvalidInput

GROUPS = ("tripcast_worker", "tripcast_board", "tripcast_api")
IAM_GROUP = "rds_iam"  # its members log in with short-lived passwords of AWS
LOCK_KEY = 8_747_227_802  # any number, the same in all versions of tripcast
LOCK_SECONDS = 60
CONNECT_SECONDS = 10
PERMANENT = (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError, ssl.SSLError)

KNOWN_ROLE = "select exists (select from pg_roles where rolname = %s)"
KNOWN_DATABASE = "select exists (select from pg_database where datname = %s)"
# Of our own groups, and of IAM's, whose members cannot use a password. What else a server's owner has given a login is not ours
# to take.
GROUPS_OF_LOGIN = """
select coalesce(array_agg(groups.rolname::text), '{}') from pg_auth_members join pg_roles as groups on groups.oid = roleid
    join pg_roles as members on members.oid = member
where members.rolname = %s and groups.rolname = any(%s)
"""


class Administrator:
    """One administrator's connection; everything is idempotent and says whether it had to create something."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def ensure_groups(self) -> list[str]:
        """The roles that migrations grant to, so that the owner needs no right to create roles; returns the new ones."""
        missing = [group for group in GROUPS if not self._ask(KNOWN_ROLE, group)]
        for group in missing:
            self._do("create role {} nologin", Identifier(group))
        return missing

    def ensure_login(self, user: str, password: str | None, member_of: str | None = None) -> bool:
        """A login in this group of ours and in no other. Without `password` in IAM_GROUP too, where the server has that.

        The server gets the password's verifier: no log of statements can hold the password.
        """
        created = not self._ask(KNOWN_ROLE, user)
        if created:
            self._do("create role {} login", Identifier(user))
        if password is not None:
            verifier = encrypt_password(password, user, self._connection, "scram-sha-256")
            self._do("alter role {} login password {}", Identifier(user), Literal(verifier))
        signed = password is None and self._ask(KNOWN_ROLE, IAM_GROUP)
        self._settle_groups(user, {group for group in (member_of, IAM_GROUP if signed else None) if group})
        return created

    def ensure_database(self, name: str, owner: str) -> bool:
        """A database of this owner."""
        if self._ask(KNOWN_DATABASE, name):
            return False
        with self._member_of(owner):
            self._do("create database {} owner {}", Identifier(name), Identifier(owner))
        return True

    def _settle_groups(self, user: str, wanted: set[str]) -> None:
        found = set(self._ask(GROUPS_OF_LOGIN, user, [*GROUPS, IAM_GROUP]))
        for other in sorted(found - wanted):
            self._do("revoke {} from {}", Identifier(other), Identifier(user))
        for group in sorted(wanted - found):
            self._do("grant {} to {}", Identifier(group), Identifier(user))

    @contextmanager
    def _member_of(self, owner: str) -> Iterator[None]:
        """Who is no superuser, as on a managed server, may give a database only to a role that it belongs to."""
        if self._ask("select pg_has_role(current_user, %s, 'usage')", owner):
            yield
            return
        self._do("grant {} to current_user", Identifier(owner))
        try:
            yield
        finally:
            self._do("revoke {} from current_user", Identifier(owner))

    def _ask(self, query: str, *values: object) -> Any:  # noqa: ANN401 - one value of any type
        with self._connection.cursor() as cursor:
            cursor.execute(query, values)
            [value] = cursor.fetchone() or [None]
        return value

    def _do(self, statement: LiteralString, *parts: Composable) -> None:
        with self._connection.cursor() as cursor:
            cursor.execute(SQL(statement).format(*parts))


@contextmanager
def administering(dsn: str) -> Iterator[Administrator]:
    """The administrator of this address, who works alone: others wait for it. Blocks.

    Raises DatabaseUnreachable, ConcurrentUpdate when somebody else takes longer than LOCK_SECONDS, and InvalidInput when the
    login may not do what it is asked.
    """
    connection = None
    try:
        check_files(dsn)
        connection = psycopg2.connect(dsn, connect_timeout=CONNECT_SECONDS)
        connection.autocommit = True  # a database is not created in a transaction
        with connection.cursor() as cursor:
            cursor.execute("select set_config('lock_timeout', %s, false)", (f"{LOCK_SECONDS}s",))
            cursor.execute("select pg_advisory_lock(%s)", (LOCK_KEY,))
        yield Administrator(connection)
    except psycopg2.errors.LockNotAvailable as error:
        raise ConcurrentUpdate(f"another process has been preparing the server for {LOCK_SECONDS} s") from error
    except psycopg2.errors.InsufficientPrivilege as error:
        raise InvalidInput(f"the administrator's login at {address_of(dsn)} lacks a right: {in_words(error)}") from error
    except psycopg2.Error as error:
        raise DatabaseUnreachable(f"PostgreSQL at {address_of(dsn)}: {in_words(error)}") from error
    finally:
        if connection is not None:
            connection.close()


async def reach(dsn: str, seconds: float, password: Password | None = None) -> None:
    """Log in once. Raises DatabaseUnreachable."""
    connection = await connecting(dsn, password)(dsn, timeout=seconds, command_timeout=seconds)
    await connection.close(timeout=seconds)


def may_pass(error: BaseException) -> bool:
    """Whether waiting may help: a server that starts is waited for, a wrong password is not."""
    return isinstance(error, DatabaseUnreachable) and not isinstance(error.__cause__, PERMANENT)
