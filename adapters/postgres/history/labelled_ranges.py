"""Labelled trips by ranges of their pickups, and a sample of them all: for trainings of which no process holds every row."""

from datetime import datetime

import numpy as np

from adapters.postgres.connection.pool import BULK_SECONDS, Pool, bulk
from adapters.postgres.history.trips import NUMBERS, TRIP_NUMBERS
from adapters.postgres.tables.binary_copy import FixedRows
from domain.entities.trips import CompletionColumns, TripColumns

# Bounds for both tables, so that either is read by its index, or by its partitions where it has them.
RANGE = """
from trips as t join completions as c using (trip_id, pickup_at)
where ($1::timestamptz is null or t.pickup_at >= $1 and c.pickup_at >= $1)
    and ($2::timestamptz is null or t.pickup_at < $2 and c.pickup_at < $2)
    and ($3::timestamptz is null or c.dropoff_at < $3)
"""
ONE_OF = "and ($4::int = 1 or hashtextextended(t.trip_id, 0) % $4 = 0)"
IN_ORDER = "order by t.pickup_at, t.trip_id"
COLUMNS = ", ".join(name for name, _ in NUMBERS)
READ = f"select {COLUMNS} {RANGE} {ONE_OF} {IN_ORDER}"
COUNT = f"select count(*) {RANGE}"
# The same for every copy of a database, and no other database has it.
IDENTITY = "select system_identifier::text || '/' || current_database() from pg_control_system()"


class LabelledRanges:
    """Read-only. Every method raises DatabaseUnreachable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def read(
        self, since: datetime | None, until: datetime | None, *, ended_before: datetime | None = None, one_of: int = 1
    ) -> tuple[TripColumns, CompletionColumns]:
        """As `History.labelled_trips` without ids; `one_of` n: of about every n-th trip, always the same ones."""
        rows = FixedRows(*NUMBERS)
        async with bulk(self._pool) as connection:
            bounds = (since, until, ended_before, one_of)
            await connection.copy_from_query(READ, *bounds, output=rows.write, format="binary", timeout=BULK_SECONDS)
        pickup_at = rows.times("pickup_at")
        columns = {name: rows.column(name) for name, _ in TRIP_NUMBERS if name != "pickup_at"}
        ids = np.full(len(pickup_at), "", dtype=object)
        trips = TripColumns(trip_id=ids, pickup_at=pickup_at, **columns)
        return trips, CompletionColumns(ids, pickup_at, rows.times("dropoff_at"))

    async def count(self, since: datetime | None, until: datetime | None, ended_before: datetime | None = None) -> int:
        """How many trips `read` would find."""
        async with bulk(self._pool) as connection:
            count: int = await connection.fetchval(COUNT, since, until, ended_before, timeout=BULK_SECONDS)
        return count

    async def identity(self) -> str:
        """What tells this database from every other; a replica has the same."""
        async with bulk(self._pool) as connection:
            found: str = await connection.fetchval(IDENTITY)
        return found
