"""What the API has answered, written by binary COPY."""

from dataclasses import fields
from uuid import UUID

import asyncpg
import numpy as np

from adapters.postgres.connection.line import Line
from adapters.postgres.tables.binary_copy import encode
from domain.entities.served import ServedPredictions
from domain.errors import ConcurrentUpdate, DatabaseUnreachable

FIXED = tuple(field.name for field in fields(ServedPredictions) if field.name not in {"key_id", "feature_schema"})
COLUMNS = ("key_id", *FIXED, "feature_schema")
PRESENT = "select prediction_id from served_predictions where prediction_id = any($1::uuid[])"
WRITABLE = "select has_table_privilege('served_predictions', 'insert') and not pg_is_in_recovery()"


class ServedRows:
    """Implements `api.ports.ServedStore` over a connection of its own."""

    def __init__(self, line: Line) -> None:
        self._line = line

    async def write(self, rows: ServedPredictions, *, again: bool) -> None:
        """One COPY for each feature schema; a process has one."""
        async with self._line.connected() as connection:
            if again:
                rows = await _missing(connection, rows)
            try:
                for schema in set(rows.feature_schema.tolist()):
                    await _copy(connection, rows.take(rows.feature_schema == schema), schema)
            except asyncpg.UniqueViolationError as error:
                raise ConcurrentUpdate("an earlier try has just succeeded") from error

    async def probe(self) -> None:
        """Return when rows could be written now."""
        async with self._line.connected() as connection:
            if not await connection.fetchval(WRITABLE):
                raise DatabaseUnreachable("PostgreSQL takes no predictions: read-only, or this login may not write them")

    def close(self) -> None:
        """Let go of the connection."""
        self._line.close()


async def _missing(connection: asyncpg.Connection, rows: ServedPredictions) -> ServedPredictions:
    ids = [UUID(bytes=each) for each in rows.prediction_id.tolist()]
    present = {row[0] for row in await connection.fetch(PRESENT, ids)}
    return rows.take(np.array([each not in present for each in ids], dtype=np.bool_)) if present else rows


async def _copy(connection: asyncpg.Connection, rows: ServedPredictions, schema: str) -> None:
    content = encode(rows.key_id.tolist(), *(getattr(rows, name) for name in FIXED), schema.encode())
    # asyncpg sends any buffer as it is; its stubs do not say so
    await connection.copy_to_table("served_predictions", source=content, columns=COLUMNS, format="binary")  # type: ignore[arg-type]
