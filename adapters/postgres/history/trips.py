"""History: trips loaded from files, the ledger of those files, and the labelled trips that models learn from."""

import json
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from asyncpg import CheckViolationError, UniqueViolationError
from numpy.typing import NDArray

from adapters.postgres.connection.pool import BULK_SECONDS, Connection, Pool, bulk, connected, transaction
from adapters.postgres.tables.binary_copy import FixedRows, copied_text
from adapters.postgres.tables.look_ups import BY_KEY
from adapters.postgres.tables.months import Months, bounds_of
from adapters.postgres.tables.rows import completion_rows, trip_rows
from adapters.postgres.tables.storable import as_json, text
from domain.entities.files import LoadedFile, RejectedRow
from domain.entities.trips import CompletionColumns, TripColumns
from domain.errors import ConcurrentUpdate

ADD_ATTEMPTS = 5
FIND_STORED = """
with named as (
    select ordinality, trip_id, timestamptz 'epoch' + pickup * interval '1 microsecond' as pickup_at
    from unnest($1::text[], $2::bigint[]) with ordinality as n (trip_id, pickup)
)
select n.ordinality - 1 as row from named as n cross join lateral (
    select from trips as t
    where t.trip_id = n.trip_id and t.pickup_at = n.pickup_at and t.pickup_at >= $3 and t.pickup_at < $4 offset 0
) as stored
union all
select n.ordinality - 1 from named as n cross join lateral (
    select from completions as c
    where c.trip_id = n.trip_id and c.pickup_at = n.pickup_at and c.pickup_at >= $3 and c.pickup_at < $4 offset 0
) as stored
"""
REJECT = """
insert into rejected_rows (file_sha256, row_number, reason, row)
select $1, * from unnest($2::bigint[], $3::text[], $4::jsonb[])
on conflict do nothing
"""
FINISH = """
insert into loaded_files (file_sha256, name, layout, rows, accepted, rejected) values ($1, $2, $3, $4, $5, $6)
on conflict (file_sha256) do update set
    rows = excluded.rows, accepted = excluded.accepted, rejected = excluded.rejected, loaded_at = now()
"""
FIND_FILE = "select file_sha256 as sha256, name, layout, rows, accepted, rejected from loaded_files where file_sha256 = $1"
LABELLED = """
from trips as t join completions as c using (trip_id, pickup_at)
where ($1::timestamptz is null or t.pickup_at >= $1) and ($2::timestamptz is null or t.pickup_at < $2)
    and ($3::timestamptz is null or c.dropoff_at < $3)
order by t.pickup_at, t.trip_id
"""
TRIP_NUMBERS = (
    ("vendor_id", "i2"),
    ("passenger_count", "i2"),
    ("pickup_at", "i8"),
    ("pickup_latitude", "f8"),
    ("pickup_longitude", "f8"),
    ("dropoff_latitude", "f8"),
    ("dropoff_longitude", "f8"),
)
NUMBERS = (*TRIP_NUMBERS, ("dropoff_at", "i8"))


class History:
    """Stored trips from files. Every method is idempotent and raises DatabaseUnreachable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._months = Months(pool)

    async def add(self, trips: TripColumns, completions: CompletionColumns) -> int:
        """Store trips with their ends, all or none of them; returns how many were stored.

        Left out are trips, named by id and pickup, of which anything is stored already, from whatever source, and repeats
        within the batch. Copying comes first and looking only when that meets a repeat: files are mostly new, or else loaded
        before as a whole. Raises InvalidInput for pickups that no trip can have.
        """
        looks = False
        for _ in range(ADD_ATTEMPTS):
            await self._months.ensure(trips.pickup_at)
            try:
                async with connected(self._pool) as connection, transaction(connection):
                    if not looks:
                        return await _insert(connection, trips, completions)
                    new = await _new(connection, trips)
                    return await _insert(connection, trips.take(new), completions.take(new))
            except UniqueViolationError:  # at first simply a repeat; later a trip that was stored after we had looked
                looks = True
            except CheckViolationError:  # one of the months was pruned since we saw it
                self._months.forget()
        raise ConcurrentUpdate("other processes keep storing the trips that are being loaded")

    async def reject(self, file_sha256: str, rows: Sequence[RejectedRow]) -> None:
        """Keep refused rows of a file, to be looked at."""
        async with connected(self._pool) as connection:
            await connection.execute(
                REJECT,
                file_sha256,
                [row.number for row in rows],
                [row.reason for row in rows],
                [as_json(row.row) for row in rows],
            )

    async def finish(self, file: LoadedFile) -> None:
        """Write the ledger's line about a file, over an older one of the same content."""
        counts = (file.rows, file.accepted, as_json(file.rejected))
        async with connected(self._pool) as connection:
            await connection.execute(FINISH, file.sha256, text(file.name), file.layout, *counts)

    async def already_loaded(self, file_sha256: str) -> LoadedFile | None:
        """The ledger's line about a file, or None."""
        async with connected(self._pool) as connection:
            row = await connection.fetchrow(FIND_FILE, file_sha256)
        return LoadedFile(**{**row, "rejected": json.loads(row["rejected"])}) if row else None

    async def labelled_trips(
        self,
        since: datetime | None = None,
        until: datetime | None = None,
        *,
        ended_before: datetime | None = None,
        with_ids: bool = False,
    ) -> tuple[TripColumns, CompletionColumns]:
        """Trips that have ended, with a pickup in [since, until), ordered by pickup and then id: the same rows each time.

        `ended_before`: only trips whose end, in event time, lies before it: what was known then.
        Ten million take about 1 GB. Their ids would take another: without `with_ids` every id is empty.
        """
        rows, bounds = FixedRows(*NUMBERS), (since, until, ended_before)
        async with bulk(self._pool) as connection:
            query = f"select {', '.join(name for name, _ in NUMBERS)} {LABELLED}"
            await connection.copy_from_query(query, *bounds, output=rows.write, format="binary", timeout=BULK_SECONDS)
            ids = await _ids(connection, *bounds) if with_ids else None
        trips = _trips(rows)
        trips.trip_id[:] = "" if ids is None else ids
        return trips, CompletionColumns(trips.trip_id, trips.pickup_at, rows.times("dropoff_at"))


def _trips(rows: FixedRows) -> TripColumns:
    pickup_at = rows.times("pickup_at")
    columns = {name: rows.column(name) for name, _ in NUMBERS if not name.endswith("_at")}
    return TripColumns(trip_id=np.empty(len(pickup_at), dtype=object), pickup_at=pickup_at, **columns)


async def _ids(connection: Connection, *bounds: datetime | None) -> list[str]:
    content = bytearray()

    async def write(piece: bytes) -> None:
        content.extend(piece)

    query = f"select t.trip_id {LABELLED}"
    await connection.copy_from_query(query, *bounds, output=write, format="text", timeout=BULK_SECONDS)
    return copied_text(bytes(content))


async def _new(connection: Connection, trips: TripColumns) -> NDArray[np.intp]:
    """Positions of the first row of each trip of which nothing is stored, in order."""
    await connection.execute(BY_KEY)
    named = trips.trip_id.tolist(), trips.pickup_at.astype(np.int64).tolist()
    stored = {row[0] for row in await connection.fetch(FIND_STORED, *named, *bounds_of(trips.pickup_at))}
    first: dict[tuple[str, int], int] = {}
    for row, name in enumerate(zip(*named, strict=True)):
        first.setdefault(name, row)
    return np.array(sorted(set(first.values()) - stored), dtype=np.intp)


async def _insert(connection: Connection, trips: TripColumns, completions: CompletionColumns) -> int:
    await trip_rows(trips).copy_into(connection, "trips")
    await completion_rows(completions, early=np.zeros(len(completions), dtype=np.bool_)).copy_into(connection, "completions")
    return len(trips)
