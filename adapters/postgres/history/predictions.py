"""Stored predictions with the inputs that they were made of, for checking that each can be made again."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import groupby
from typing import Any
from uuid import UUID

import numpy as np
from asyncpg import Record

from adapters.postgres.connection.pool import BULK_SECONDS, Pool, connected
from domain.entities.predictions import PredictionColumns, Role
from domain.entities.trips import TIME, TripColumns

CHUNK_ROWS = 10_000
DTYPES = {
    "trip_id": "object",
    "vendor_id": "int16",
    "passenger_count": "int16",
    "pickup_at": TIME.str,
    "duration_seconds": "float32",
    "lower_seconds": "float32",
    "upper_seconds": "float32",
}  # all others are float64
MADE_BY = ("model_version", "feature_schema", "role", "source")
INPUTS = """vendor_id, passenger_count, (extract(epoch from pickup_at) * 1000000)::bigint as pickup_at,
    pickup_latitude, pickup_longitude, dropoff_latitude, dropoff_longitude"""
WANTED = """($3::integer is null or model_version = $3)
    and ($4::timestamptz is null or pickup_at >= $4)
    and ($5::timestamptz is null or pickup_at < $5)"""
# By key from where the last chunk ended: no transaction stays open while a chunk is looked at, and new rows do no harm.
NEXT_OF_STREAM = f"""
select p.trip_id, role::text, {INPUTS},
    duration_seconds, lower_seconds, upper_seconds, model_version, feature_schema, 'stream' as source
from predictions as p cross join lateral (
    select vendor_id, passenger_count, pickup_latitude, pickup_longitude, dropoff_latitude, dropoff_longitude
    from trips as t where t.trip_id = p.trip_id and t.pickup_at = p.pickup_at offset 0
) as t
where (p.pickup_at, p.trip_id, p.role) > (timestamptz 'epoch' + $8::bigint * interval '1 microsecond', $1,
    $2::text::prediction_role) and {WANTED} and ($6::smallint is null or p.source_id = $6)
order by p.pickup_at, p.trip_id, p.role
limit $7
"""
NEXT_OF_API = f"""
select prediction_id::text as trip_id, $2::text as role, {INPUTS},
    duration_seconds, lower_seconds, upper_seconds, model_version, feature_schema, 'api' as source
from served_predictions
where prediction_id > $1::text::uuid and {WANTED} and $6::smallint is null and $8::bigint is not null
order by prediction_id
limit $7
"""
NO_UUID = str(UUID(int=0))  # no prediction has it


@dataclass(frozen=True, slots=True, eq=False)
class StoredPredictions:
    """Predictions that one model version made in one role, and the trips as it saw them, row by row.

    source: `stream` for the worker's, `api` for those that were asked for over HTTP, whose trip id is the prediction's.
    """

    trips: TripColumns
    predictions: PredictionColumns
    model_version: int
    feature_schema: str
    role: Role
    source: str


async def stored_predictions(
    pool: Pool,
    *,
    version: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    source_id: int | None = None,
    limit: int | None = None,
    chunk: int = CHUNK_ROWS,
) -> AsyncIterator[StoredPredictions]:
    """At most `limit` predictions of trips with a pickup in [since, until), by pickup, trip id and role: always in one order.

    Chunks hold at most `chunk` rows of one maker. Raises DatabaseUnreachable.
    """
    async for found in _pages(pool, NEXT_OF_STREAM, "", (version, since, until, source_id), limit=limit, chunk=chunk):
        yield found


async def served_predictions(
    pool: Pool,
    *,
    version: int | None = None,
    since: datetime | None = None,
    until: datetime | None = None,
    limit: int | None = None,
    chunk: int = CHUNK_ROWS,
) -> AsyncIterator[StoredPredictions]:
    """The same of predictions that the API gave, by prediction id."""
    async for found in _pages(pool, NEXT_OF_API, NO_UUID, (version, since, until, None), limit=limit, chunk=chunk):
        yield found


async def _pages(
    pool: Pool, query: str, before_all: str, wanted: tuple[object, ...], *, limit: int | None, chunk: int
) -> AsyncIterator[StoredPredictions]:
    after, pickup_us, remaining = (before_all, Role.CHAMPION.value), 0, limit
    while remaining is None or remaining > 0:
        count = chunk if remaining is None else min(chunk, remaining)
        async with connected(pool) as connection:
            rows = await connection.fetch(query, *after, *wanted, count, pickup_us, timeout=BULK_SECONDS)
        for made_by, made in groupby(sorted(rows, key=_made_by), key=_made_by):
            yield _chunk(list(made), *made_by)
        if len(rows) < count:
            return
        after, pickup_us = (rows[-1]["trip_id"], rows[-1]["role"]), rows[-1]["pickup_at"]
        remaining = None if remaining is None else remaining - len(rows)


def _made_by(row: Record) -> tuple[Any, ...]:
    return tuple(row[name] for name in MADE_BY)


def _chunk(rows: Sequence[Record], version: int, schema: str, role: str, source: str) -> StoredPredictions:
    trips = TripColumns(*(_column(rows, field.name) for field in fields(TripColumns)))
    predictions = PredictionColumns(*(_column(rows, field.name) for field in fields(PredictionColumns)))
    return StoredPredictions(trips, predictions, version, schema, Role(role), source)


def _column(rows: Sequence[Record], name: str) -> np.ndarray[Any, Any]:
    dtype = np.dtype(DTYPES.get(name, "float64"))
    values: np.ndarray[Any, Any] = np.array([row[name] for row in rows], dtype="int64" if dtype == TIME else dtype)
    return values.astype(dtype)
