"""The rows of a stretch of the stream, to tally it from when the signal that told of it is lost."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from asyncpg import Record
from numpy.typing import NDArray

from adapters.postgres.connection.pool import Pool, connected, transaction
from adapters.postgres.stream.scored_history import ScoredHistory
from adapters.postgres.tables.canaries import NO_CANARY
from adapters.postgres.tables.look_ups import BY_KEY
from domain.areas import AreaGrid
from domain.entities.trips import TIME, CompletionColumns, RecordColumns, Times
from domain.tallies import ScoredTrips

RANGE = "source_id = $1 and partition = $2 and record_offset >= $3 and record_offset < $4"
STARTED = f"""
select trip_id, record_offset, (extract(epoch from pickup_at) * 1000000)::bigint as pickup_at
from trips as t where {RANGE} and {NO_CANARY} order by record_offset
"""
ENDED = f"""
select trip_id, record_offset, (extract(epoch from pickup_at) * 1000000)::bigint as pickup_at,
    (extract(epoch from dropoff_at) * 1000000)::bigint as dropoff_at
from completions where {RANGE} and not early order by record_offset
"""
REFUSED = f"select record_offset from dead_letters where {RANGE} order by record_offset"


@dataclass(frozen=True, slots=True, eq=False)
class Stretch:
    """What became rows in records [first, next) of one partition, and what was refused in them, in offset order.

    `settled` are the starts of those that ended and have a prediction, with `dropoff_at` row by row. `newest_before`: the
    latest pickup of the partition before these records, None when there was none.
    """

    started: ScoredTrips
    started_records: RecordColumns
    ended: CompletionColumns
    ended_records: RecordColumns
    settled: ScoredTrips
    dropoff_at: Times
    refused: RecordColumns
    newest_before: np.datetime64 | None


async def stretch(pool: Pool, grid: AreaGrid, source_id: int, partition: int, offsets: tuple[int, int]) -> Stretch:
    """The committed records [first, next) of a partition. Raises DatabaseUnreachable."""
    history, where = ScoredHistory(pool, grid), (source_id, partition, *offsets)
    async with connected(pool) as connection, transaction(connection, isolation="repeatable_read", readonly=True):
        await connection.execute(BY_KEY)
        begun, ended = await connection.fetch(STARTED, *where), await connection.fetch(ENDED, *where)
        refused = await connection.fetch(REFUSED, *where)
    started, started_rows = await _scored(history, begun)
    settled, settled_rows = await _scored(history, ended)
    completions = CompletionColumns(_ids(ended), _times(ended, "pickup_at"), _times(ended, "dropoff_at"))
    return Stretch(
        started=started,
        started_records=_records(partition, begun).take(started_rows),
        ended=completions,
        ended_records=_records(partition, ended),
        settled=settled,
        dropoff_at=completions.dropoff_at[settled_rows],
        refused=_records(partition, refused),
        newest_before=(await history.newest_pickups(source_id, {partition: offsets[0]})).get(partition),
    )


async def _scored(history: ScoredHistory, rows: Sequence[Record]) -> tuple[ScoredTrips, NDArray[np.intp]]:
    """The trips of these rows that a champion has scored, in the order of the rows, and which rows these are."""
    ids: list[str] = [row["trip_id"] for row in rows]
    found = await history.scored(ids, _times(rows, "pickup_at")) if ids else ScoredTrips.empty()
    row_of = {(row["trip_id"], row["pickup_at"]): place for place, row in enumerate(rows)}
    names = zip(found.trip_id.tolist(), found.pickup_at.astype(np.int64).tolist(), strict=True)
    places = np.array([row_of[name] for name in names], dtype=np.intp)
    order = np.argsort(places)
    return found.take(order), places[order]


def _records(partition: int, rows: Sequence[Record]) -> RecordColumns:
    offsets = np.array([row["record_offset"] for row in rows], dtype=np.int64)
    return RecordColumns(np.full(len(rows), partition, dtype=np.int32), offsets)


def _ids(rows: Sequence[Record]) -> NDArray[np.object_]:
    return np.array([row["trip_id"] for row in rows], dtype=object)


def _times(rows: Sequence[Record], name: str) -> Times:
    return np.array([row[name] for row in rows], dtype=np.int64).astype(TIME)
