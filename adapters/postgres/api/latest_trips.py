"""The trips that were scored last, with their ends where these are known; by key, whatever the size of the tables."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from asyncpg import Record

from adapters.postgres.connection.pool import Pool, connected, transaction
from adapters.postgres.tables.canaries import NO_CANARY
from adapters.postgres.tables.look_ups import BY_KEY
from domain.areas import AreaGrid
from schemas.http.base import Point
from schemas.http.snapshot import TripRow

MOST_OF_A_PARTITION = 2000  # newest rows that a search for one area looks through, over all partitions

# The newest rows of each partition by its unique index, then the newest of these, and only for them what else is known.
LATEST = f"""
with newest as (
    select t.* from stream_offsets as o
    cross join lateral (
        select trip_id, partition, record_offset, pickup_at, pickup_latitude, pickup_longitude, dropoff_latitude,
            dropoff_longitude, published_at, recorded_at
        from trips as t
        where t.source_id = $1 and t.partition = o.partition and t.source_id is not null
            and {NO_CANARY}
        order by t.record_offset desc limit $2
    ) as t
    where o.source_id = $1
), chosen as (
    select * from newest as t
    where $4::float8 is null or (
        t.pickup_latitude >= $4 and t.pickup_latitude < $5 and t.pickup_longitude >= $6 and t.pickup_longitude < $7
    )
    order by t.recorded_at desc, t.record_offset desc limit $3
)
select t.*, p.duration_seconds, p.lower_seconds, p.upper_seconds, p.model_version, c.dropoff_at
from chosen as t
cross join lateral (
    select duration_seconds, lower_seconds, upper_seconds, model_version from predictions as p
    where p.trip_id = t.trip_id and p.pickup_at = t.pickup_at and p.role = 'champion' offset 0
) as p
left join lateral (
    select dropoff_at from completions as c where c.trip_id = t.trip_id and c.pickup_at = t.pickup_at offset 0
) as c on true
order by t.recorded_at desc, t.record_offset desc
"""
DELAY = """
select percentile_cont(0.5) within group (order by extract(epoch from dropoff_at - pickup_at)) from (
    select c.dropoff_at, c.pickup_at from stream_offsets as o
    cross join lateral (
        select dropoff_at, pickup_at from completions as c
        where c.source_id = $1 and c.partition = o.partition and c.source_id is not null
        order by c.record_offset desc limit $2
    ) as c
    where o.source_id = $1
) as newest
"""
DELAY_ROWS = 200  # of each partition


@dataclass(frozen=True, slots=True)
class LatestRows:
    """Asks for one city. Raises DatabaseUnreachable."""

    pool: Pool
    grid: AreaGrid

    async def __call__(self, source_id: int, partitions: int, limit: int = 200, area: int | None = None) -> list[TripRow]:
        """The newest `limit` by when their rows were written; of trips from one area, those among the newest rows."""
        looked_at = limit if area is None else MOST_OF_A_PARTITION
        of_each = max(1, min(limit if area is None else looked_at, 2 * looked_at // max(partitions, 1)))
        box: Sequence[float | None] = (None,) * 4 if area is None else self.grid.box(area)
        async with connected(self.pool) as connection, transaction(connection, readonly=True):
            await connection.execute(BY_KEY)
            rows = await connection.fetch(LATEST, source_id, of_each, limit, *box)
        return self._trips(rows)

    async def label_delay_seconds(self, source_id: int) -> float | None:
        """Median time from pickup to dropoff, event time, of the trips whose ends came last: so long a label is awaited."""
        async with connected(self.pool) as connection, transaction(connection, readonly=True):
            await connection.execute(BY_KEY)
            median: float | None = await connection.fetchval(DELAY, source_id, DELAY_ROWS)
        return median

    def _trips(self, rows: Sequence[Record]) -> list[TripRow]:
        pickups = self._areas(rows, "pickup")
        dropoffs = self._areas(rows, "dropoff")
        return [_trip(row, pickup, dropoff) for row, pickup, dropoff in zip(rows, pickups, dropoffs, strict=True)]

    def _areas(self, rows: Sequence[Record], end: str) -> list[int]:
        places = [np.array([row[f"{end}_{axis}"] for row in rows], dtype=np.float64) for axis in ("latitude", "longitude")]
        areas: list[int] = self.grid.of(*places).tolist()
        return areas


def _trip(row: Record, pickup_area: int, dropoff_area: int) -> TripRow:
    published, ended = row["published_at"], row["dropoff_at"]
    return TripRow(
        trip_id=row["trip_id"],
        pickup_at=row["pickup_at"],
        recorded_at=row["recorded_at"],
        pickup=Point(latitude=row["pickup_latitude"], longitude=row["pickup_longitude"]),
        dropoff=Point(latitude=row["dropoff_latitude"], longitude=row["dropoff_longitude"]),
        pickup_area=pickup_area,
        dropoff_area=dropoff_area,
        predicted_seconds=row["duration_seconds"],
        lower_seconds=row["lower_seconds"],
        upper_seconds=row["upper_seconds"],
        actual_seconds=None if ended is None else (ended - row["pickup_at"]).total_seconds(),
        model_version=row["model_version"],
        partition=row["partition"],
        offset=row["record_offset"],
        latency_seconds=None if published is None else max(0.0, (row["recorded_at"] - published).total_seconds()),
    )
