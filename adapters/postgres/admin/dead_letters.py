"""Dead letters as people meet them: listed, shown, and replayed."""

from collections.abc import Awaitable, Callable, Sequence

from asyncpg import Record

from adapters.postgres.connection.pool import Pool, connected, transaction
from domain.entities.rejections import DeadLetter, Reason, StoredDeadLetter
from domain.errors import InvalidInput

COLUMNS = """
select dead_letter_id, topic, partition, record_offset, record_at, key, value, header_names, header_values, reason, detail,
    recorded_at, replayed_at
from dead_letters join event_sources using (source_id)
"""
COUNTS = "select reason, count(*) from dead_letters group by reason order by count(*) desc, reason"
LIST = COLUMNS + "where $1::text is null or reason = $1 order by dead_letter_id desc limit $2"
GET = COLUMNS + "where dead_letter_id = $1"
CHOOSE = """
select dead_letter_id from dead_letters
where ($1::bigint[] is null or dead_letter_id = any($1)) and ($2::text is null or reason = $2) and ($3 or replayed_at is null)
order by dead_letter_id
"""
# Locked until the replay is published and marked: of two replays at once one waits, and then finds it done.
LOCK = COLUMNS + "where dead_letter_id = $1 and ($2 or replayed_at is null) for update of dead_letters"
REASONS = {str(reason): reason for reason in Reason}
MARK = "update dead_letters set replayed_at = now() where dead_letter_id = $1"


Publish = Callable[[StoredDeadLetter], Awaitable[None]]


class DeadLetters:
    """The stored dead letters. Every method raises DatabaseUnreachable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def newest(self, reason: Reason | None = None, limit: int = 50) -> list[StoredDeadLetter]:
        """The newest first."""
        async with connected(self._pool) as connection:
            return [_stored(row) for row in await connection.fetch(LIST, reason, limit)]

    async def counts(self) -> dict[str, int]:
        """How many there are of each reason that occurs, most frequent first."""
        async with connected(self._pool) as connection:
            return {row["reason"]: row["count"] for row in await connection.fetch(COUNTS)}

    async def get(self, dead_letter_id: int) -> StoredDeadLetter:
        """One of them. Raises InvalidInput when there is none with that id."""
        async with connected(self._pool) as connection:
            row = await connection.fetchrow(GET, dead_letter_id)
        if row is None:
            raise InvalidInput(f"there is no dead letter {dead_letter_id}: `tripcast dead-letters list` shows them")
        return _stored(row)

    async def choose(self, ids: Sequence[int] | None = None, reason: Reason | None = None, *, again: bool = False) -> list[int]:
        """Ids of those that a replay is to publish, oldest first; `again` includes those that were replayed already."""
        async with connected(self._pool) as connection:
            rows = await connection.fetch(CHOOSE, None if ids is None else list(ids), reason, again)
        return [row["dead_letter_id"] for row in rows]

    async def replay(self, dead_letter_id: int, publish: Publish, *, again: bool = False) -> bool:
        """Publish and mark as replayed; False when another replay has done so already.

        A crash between the two publishes it once more next time, where the worker finds an identical repeat.
        """
        async with connected(self._pool) as connection, transaction(connection):
            row = await connection.fetchrow(LOCK, dead_letter_id, again)
            if row is None:
                return False
            await publish(_stored(row))
            await connection.execute(MARK, dead_letter_id)
            return True


def _stored(row: Record) -> StoredDeadLetter:
    letter = DeadLetter(
        partition=row["partition"],
        offset=row["record_offset"],
        timestamp=row["record_at"],
        key=row["key"],
        value=row["value"],
        headers=tuple(zip(row["header_names"], row["header_values"], strict=True)),
        reason=REASONS[row["reason"]],
        detail=row["detail"],
    )
    return StoredDeadLetter(row["dead_letter_id"], row["topic"], letter, row["recorded_at"], row["replayed_at"])
