"""Rows that go by age from the small tables: in chunks, so that no statement holds its locks for long."""

from dataclasses import dataclass
from datetime import datetime

from adapters.postgres.admin.pruning import record_as_pruned
from adapters.postgres.connection.pool import Connection, transaction

CHUNK_ROWS = 10_000
DELETE = "delete from {0} where ctid = any(array(select ctid from {0} where {1} limit {2}))"
COUNT = "select count(*) from {0} where {1}"
LOADED_BEFORE = "file_sha256 in (select file_sha256 from loaded_files where loaded_at < $1)"


@dataclass(frozen=True, slots=True)
class Kind:
    """A table, and which of its rows are older than $1."""

    table: str
    older: str


EXPIRATIONS = Kind("expirations", "pickup_at < $1")
DEAD_LETTERS = Kind("dead_letters", "recorded_at < $1")
REJECTED = Kind("rejected_rows", LOADED_BEFORE)
SERVED = Kind("served_predictions", "served_at < $1")
MINUTES = tuple(Kind(table, "minute < $1") for table in ("quality_minutes", "area_minutes", "service_minutes"))
SIGNALS = Kind("drift_signals", "event_at < $1")


async def count_older(connection: Connection, kind: Kind, cut: datetime) -> int:
    """How many would go."""
    count: int = await connection.fetchval(COUNT.format(kind.table, kind.older), cut)
    return count


async def delete_older(connection: Connection, kind: Kind, cut: datetime, chunk: int = CHUNK_ROWS) -> int:
    """Delete them; returns how many. Of dead letters the offsets stay accounted for. `connection`: outside a transaction."""
    deleted = 0
    while True:
        async with transaction(connection):
            gone = await _chunk(connection, kind, cut, chunk)
        deleted += gone
        if gone < chunk:
            return deleted


async def _chunk(connection: Connection, kind: Kind, cut: datetime, chunk: int) -> int:
    statement = DELETE.format(kind.table, kind.older, chunk)
    if kind is not DEAD_LETTERS:
        return int((await connection.execute(statement, cut)).rpartition(" ")[2])
    await connection.execute(
        "create temporary table gone (source_id smallint, partition integer, record_offset bigint) on commit drop"
    )
    returning = (
        f"with deleted as ({statement} returning source_id, partition, record_offset) insert into gone select * from deleted"
    )
    gone = int((await connection.execute(returning, cut)).rpartition(" ")[2])
    if gone:
        await record_as_pruned(connection, "select * from gone")
    return gone
