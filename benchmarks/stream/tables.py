"""The tables of the bare loop and of the rivals, shaped alike, and the statements that a good batch loop writes them with."""

from datetime import datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from schemas.events import TripCompleted, TripStarted

TABLES = """
drop table if exists {0}_trips, {0}_predictions, {0}_completions, {0}_offsets;
create table {0}_trips (trip_id text primary key, vendor_id smallint, passenger_count smallint, pickup_at timestamptz,
    pickup_latitude float8, pickup_longitude float8, dropoff_latitude float8, dropoff_longitude float8, dropoff_at timestamptz);
create table {0}_predictions (trip_id text primary key, model_version int, duration_seconds real, scored_at timestamptz);
create table {0}_completions (trip_id text primary key, dropoff_at timestamptz);
create table {0}_offsets (partition int primary key, next_offset bigint);
"""
INSERT_TRIPS = """insert into {0}_trips (trip_id, vendor_id, passenger_count, pickup_at, pickup_latitude, pickup_longitude,
    dropoff_latitude, dropoff_longitude) select * from unnest($1::text[], $2::smallint[], $3::smallint[], $4::timestamptz[],
    $5::float8[], $6::float8[], $7::float8[], $8::float8[]) on conflict do nothing"""
INSERT_PREDICTIONS = """insert into {0}_predictions select t, 1, d, $3 from unnest($1::text[], $2::real[]) as p (t, d)
    on conflict do nothing"""
COMPLETE = (
    "update {0}_trips set dropoff_at = c.at from unnest($1::text[], $2::timestamptz[]) as c (id, at) where trip_id = c.id"
)
INSERT_COMPLETIONS = "insert into {0}_completions select * from unnest($1::text[], $2::timestamptz[]) on conflict do nothing"
ADVANCE = """insert into {0}_offsets select * from unnest($1::int[], $2::bigint[]) on conflict (partition)
    do update set next_offset = excluded.next_offset"""


async def insert_started(
    connection: Any, prefix: str, started: list[TripStarted], seconds: NDArray[np.float32], at: datetime
) -> None:
    """Trips and their predictions by asyncpg, a statement each."""
    ids = [trip.trip_id for trip in started]
    await connection.execute(
        INSERT_TRIPS.format(prefix),
        ids,
        [trip.vendor_id for trip in started],
        [trip.passenger_count for trip in started],
        [trip.pickup_at for trip in started],
        [trip.pickup.latitude for trip in started],
        [trip.pickup.longitude for trip in started],
        [trip.dropoff.latitude for trip in started],
        [trip.dropoff.longitude for trip in started],
    )
    await connection.execute(INSERT_PREDICTIONS.format(prefix), ids, seconds.tolist(), at)


async def write_completed(connection: Any, prefix: str, completed: list[TripCompleted], statement: str) -> None:
    """COMPLETE or INSERT_COMPLETIONS."""
    await connection.execute(
        statement.format(prefix), [trip.trip_id for trip in completed], [trip.dropoff_at for trip in completed]
    )
