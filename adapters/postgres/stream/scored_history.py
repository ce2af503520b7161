"""Stored trips as they were scored, for completions whose start nobody remembers."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from asyncpg import Record
from numpy.typing import NDArray

from adapters.postgres.connection.pool import Pool, connected, transaction
from adapters.postgres.tables.canaries import NO_CANARY
from adapters.postgres.tables.look_ups import BY_KEY
from adapters.postgres.tables.months import bounds_of
from domain.areas import AreaGrid
from domain.entities.predictions import PredictionColumns
from domain.entities.trips import TIME, Strings, Times, TripColumns
from domain.tallies import NO_VERSION, ScoredTrips, scored_trips

CHUNK_TRIPS = 5000
NEWEST_OF = (
    1000  # pickups come nearly in order, so that the newest is among the last; one wrong clock is forgotten after so many
)
SCORED = """
select t.*, p.*, s.model_version, s.duration_seconds, s.lower_seconds, s.upper_seconds
from (
    select trip_id, timestamptz 'epoch' + pickup * interval '1 microsecond' as pickup_at
    from unnest($1::text[], $2::bigint[]) as a (trip_id, pickup)
) as a
cross join lateral (
    select t.trip_id, vendor_id, passenger_count, (extract(epoch from pickup_at) * 1000000)::bigint,
        pickup_latitude, pickup_longitude, dropoff_latitude, dropoff_longitude
    from trips as t
    where t.trip_id = a.trip_id and t.pickup_at = a.pickup_at and t.pickup_at >= $3 and t.pickup_at < $4 offset 0
) as t
cross join lateral (
    select model_version, duration_seconds, lower_seconds, upper_seconds
    from predictions as p
    where p.trip_id = a.trip_id and p.pickup_at = a.pickup_at and p.pickup_at >= $3 and p.pickup_at < $4
        and p.role = 'champion' offset 0
) as p
left join lateral (
    select model_version, duration_seconds, lower_seconds, upper_seconds
    from predictions as p
    where p.trip_id = a.trip_id and p.pickup_at = a.pickup_at and p.pickup_at >= $3 and p.pickup_at < $4
        and p.role = 'challenger' offset 0
) as s on true
"""
NEWEST = f"""
select b.partition, (extract(epoch from max(pickup_at)) * 1000000)::bigint
from unnest($2::integer[], $3::bigint[]) as b (partition, next_offset)
cross join lateral (
    select pickup_at from trips as t
    where t.source_id = $1 and t.partition = b.partition and t.record_offset < b.next_offset and {NO_CANARY}
    order by record_offset desc limit $4
) as newest
group by 1
"""
_TRIP = (object, np.int16, np.int16, np.int64, *(np.float64,) * 4)


class ScoredHistory:
    """Implements `stream.ports.ScoredHistory`."""

    def __init__(self, pool: Pool, grid: AreaGrid) -> None:
        self._pool, self._grid = pool, grid

    async def scored(self, trip_ids: Sequence[str], pickup_at: Times) -> ScoredTrips:
        """Those of these trips, with these pickups, that a champion has scored."""
        found: list[Record] = []
        async with connected(self._pool) as connection, transaction(connection, readonly=True):
            await connection.execute(BY_KEY)
            for first in range(0, len(trip_ids), CHUNK_TRIPS):
                ids, pickups = list(trip_ids[first : first + CHUNK_TRIPS]), pickup_at[first : first + CHUNK_TRIPS]
                bounds = bounds_of(pickups)
                found += await connection.fetch(SCORED, ids, pickups.astype(np.int64).tolist(), *bounds)
        return self._columns(found) if found else ScoredTrips.empty()

    async def newest_pickups(self, source_id: int, before: Mapping[int, int]) -> dict[int, np.datetime64]:
        """The newest of the last stored pickups of each partition below the given offset."""
        async with connected(self._pool) as connection:
            rows = await connection.fetch(NEWEST, source_id, list(before), list(before.values()), NEWEST_OF)
        return {partition: np.datetime64(newest, "us") for partition, newest in rows}

    def _columns(self, rows: Sequence[Record]) -> ScoredTrips:
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        trip_id, vendor, passengers, pickup_us, *places = (
            np.array(values, dtype=dtype) for values, dtype in zip(columns[:8], _TRIP, strict=True)
        )
        trips = TripColumns(trip_id, vendor, passengers, pickup_us.astype(TIME), *places)
        version, predictions = _predictions(trip_id, columns[8:12])
        shadow_version, shadowed = _predictions(trip_id, [_or_nothing(values) for values in columns[12:16]])
        scored = scored_trips(trips, predictions, NO_VERSION, self._grid, (NO_VERSION, shadowed))
        return replace(scored, version=version, shadow_version=shadow_version)


def _predictions(trip_id: Strings, columns: Sequence[Sequence[Any]]) -> tuple[NDArray[np.int32], PredictionColumns]:
    version, *seconds = columns
    return np.array(version, np.int32), PredictionColumns(trip_id, *(np.array(values, np.float32) for values in seconds))


def _or_nothing(values: Sequence[Any]) -> list[Any]:
    return [NO_VERSION if value is None else value for value in values]
