"""Tally a stretch of the stream from its rows: what a worker's signal would have said, when the signal is lost."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from asyncpg import Record
from numpy.typing import NDArray

from adapters.postgres.batch_writer import BY_KEY
from adapters.postgres.connection import Connection, Pool, connected
from domain.areas import AreaGrid
from domain.entities.predictions import PredictionColumns
from domain.entities.trips import TIME, Times, TripColumns
from domain.tallies import NO_VERSION, ScoredTrips, Tally, scored_trips, tally_of

NEWEST_OF = 100  # records back: one wrong clock is forgotten a hundred records later
SCORED = """
    t.trip_id, t.vendor_id, t.passenger_count, (extract(epoch from t.pickup_at) * 1000000)::bigint,
    t.pickup_latitude, t.pickup_longitude, t.dropoff_latitude, t.dropoff_longitude,
    p.duration_seconds, p.lower_seconds, p.upper_seconds, p.model_version,
    coalesce(s.duration_seconds, p.duration_seconds), coalesce(s.lower_seconds, p.lower_seconds),
    coalesce(s.upper_seconds, p.upper_seconds), coalesce(s.model_version, 0)
"""
PREDICTED = """
cross join lateral (
    select duration_seconds, lower_seconds, upper_seconds, model_version
    from predictions where trip_id = t.trip_id and role = 'champion' offset 0
) as p
left join lateral (
    select duration_seconds, lower_seconds, upper_seconds, model_version
    from predictions where trip_id = t.trip_id and role = 'challenger' offset 0
) as s on true
"""
STARTED = f"""
select {SCORED} from trips as t {PREDICTED}
where t.source_id = $1 and t.partition = $2 and t.record_offset >= $3 and t.record_offset < $4
order by t.record_offset
"""
SETTLED = f"""
select {SCORED}, (extract(epoch from c.dropoff_at) * 1000000)::bigint
from completions as c cross join lateral (select * from trips where trip_id = c.trip_id offset 0) as t {PREDICTED}
where c.source_id = $1 and c.partition = $2 and c.record_offset >= $3 and c.record_offset < $4 and not c.early
order by c.record_offset
"""
REST = """
select (
    select count(*) from dead_letters where source_id = $1 and partition = $2 and record_offset >= $3 and record_offset < $4
) as refused, (
    select (extract(epoch from max(dropoff_at)) * 1000000)::bigint from completions
    where source_id = $1 and partition = $2 and record_offset >= $3 and record_offset < $4
) as newest_dropoff, (
    select (extract(epoch from max(pickup_at)) * 1000000)::bigint from (
        select pickup_at from trips where source_id = $1 and partition = $2 and record_offset < $3
        order by record_offset desc limit $5
    ) as before
) as newest_before
"""


@dataclass(frozen=True, slots=True, eq=False)
class Recount:
    """The tally of a stretch, and the newest event time in it, in microseconds since 1970; None where it has no rows."""

    tally: Tally
    newest_us: int | None


async def recount(pool: Pool, grid: AreaGrid, source_id: int, partition: int, offsets: tuple[int, int]) -> Recount:
    """Tally the committed records [first, next) of a partition. Raises DatabaseUnreachable."""
    where = (source_id, partition, *offsets)
    async with connected(pool) as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        await connection.execute(BY_KEY)
        started = _scored(await connection.fetch(STARTED, *where), grid)
        ended = await connection.fetch(SETTLED, *where)
        [rest] = await connection.fetch(REST, *where, NEWEST_OF)
    settled, dropoff_at = _scored(ended, grid), _times([row[-1] for row in ended])
    before = None if rest["newest_before"] is None else np.datetime64(rest["newest_before"], "us")
    tally = tally_of(started, settled, dropoff_at, refused=rest["refused"], newest=before)
    return Recount(tally, _newest(started.pickup_at, rest["newest_dropoff"]))


async def scored_by_id(connection: Connection, grid: AreaGrid, trip_ids: Sequence[str]) -> ScoredTrips:
    """Those of the trips that have a champion's prediction, in no particular order."""
    query = f"select {SCORED} from unnest($1::text[]) as wanted (trip_id)"
    joined = f"{query} cross join lateral (select * from trips where trip_id = wanted.trip_id offset 0) as t {PREDICTED}"
    return _scored(await connection.fetch(joined, list(trip_ids)), grid)


def _scored(rows: Sequence[Record], grid: AreaGrid) -> ScoredTrips:
    columns = list(zip(*rows, strict=True)) if rows else [()] * 16
    trip_id = np.array(columns[0], dtype=object)
    vendor_id, passenger_count = (np.array(column, dtype=np.int16) for column in columns[1:3])
    from_latitude, from_longitude, to_latitude, to_longitude = (np.array(column, dtype=np.float64) for column in columns[4:8])
    trips = TripColumns(
        trip_id, vendor_id, passenger_count, _times(columns[3]), from_latitude, from_longitude, to_latitude, to_longitude
    )
    scored = scored_trips(trips, _predictions(trip_id, columns[8:11]), NO_VERSION, grid)
    shadow = _predictions(trip_id, columns[12:15])
    return replace(
        scored,
        version=np.array(columns[11], dtype=np.int32),
        shadow_version=np.array(columns[15], dtype=np.int32),
        shadow_duration_seconds=shadow.duration_seconds,
        shadow_lower_seconds=shadow.lower_seconds,
        shadow_upper_seconds=shadow.upper_seconds,
    )


def _predictions(trip_id: NDArray[np.object_], columns: Sequence[Sequence[Any]]) -> PredictionColumns:
    duration, lower, upper = (np.array(column, dtype=np.float32) for column in columns)
    return PredictionColumns(trip_id, duration, lower, upper)


def _times(microseconds: Sequence[int]) -> Times:
    return np.array(microseconds, dtype=np.int64).astype(TIME)


def _newest(pickup_at: Times, dropoff_us: int | None) -> int | None:
    newest = [int(pickup_at.max().astype(np.int64))] if len(pickup_at) else []
    return max([*newest, *([dropoff_us] if dropoff_us is not None else [])], default=None)
