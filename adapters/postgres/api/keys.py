"""Keys of the API: hashes, whose they are, and until when they were valid."""

from collections.abc import Sequence

from asyncpg import Record

from adapters.postgres.connection.line import Line
from adapters.postgres.connection.pool import Pool, connected
from domain.entities.api_keys import NewKey, StoredKey
from domain.errors import InvalidInput

ALL = "select key_id, name, sha256, operator, created_at, revoked_at from api_keys"
ADD = """
insert into api_keys (key_id, name, sha256, operator) values ($1, $2, $3, $4)
on conflict (key_id) do nothing
"""
REVOKE = "update api_keys set revoked_at = coalesce(revoked_at, now()) where key_id = $1 returning key_id"


class ApiKeys:
    """For the commands that manage them. Raises DatabaseUnreachable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def add(self, key: NewKey, name: str, *, operator: bool) -> None:
        """Store a key's hash. Idempotent."""
        async with connected(self._pool) as connection:
            await connection.execute(ADD, key.key_id, name, key.sha256, operator)

    async def revoke(self, key_id: str) -> None:
        """It is valid no longer. Idempotent. Raises InvalidInput when there is no such key."""
        async with connected(self._pool) as connection:
            if await connection.fetchval(REVOKE, key_id) is None:
                raise InvalidInput(f"there is no key {key_id}; `tripcast keys list` shows all")

    async def all(self) -> Sequence[StoredKey]:
        """Every key, revoked ones too, oldest first."""
        async with connected(self._pool) as connection:
            return [_key(row) for row in await connection.fetch(f"{ALL} order by created_at, key_id")]


class ValidKeys:
    """For the API, which asks every few seconds over a connection of its own."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def __call__(self) -> Sequence[StoredKey]:
        """The keys that are not revoked. Raises DatabaseUnreachable, SchemaMismatch."""
        async with self._line.connected() as connection:
            return [_key(row) for row in await connection.fetch(f"{ALL} where revoked_at is null")]

    def close(self) -> None:
        """Let go of the connection."""
        self._line.close()


def _key(row: Record) -> StoredKey:
    return StoredKey(row["key_id"], row["name"], row["sha256"], row["operator"], row["created_at"], row["revoked_at"])
