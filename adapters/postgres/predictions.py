"""Stored predictions with the inputs that they were made of, for checking that each can be made again."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import groupby
from typing import Any

import numpy as np
from asyncpg import Record

from adapters.postgres.connection import BULK_SECONDS, Pool, connected
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
MADE_BY = ("model_version", "feature_schema", "role")
# By key from where the last chunk ended: no transaction stays open while a chunk is looked at, and new rows do no harm.
NEXT = """
select p.trip_id, vendor_id, passenger_count, (extract(epoch from pickup_at) * 1000000)::bigint as pickup_at,
    pickup_latitude, pickup_longitude, dropoff_latitude, dropoff_longitude,
    duration_seconds, lower_seconds, upper_seconds, model_version, feature_schema, role::text
from predictions as p join trips as t using (trip_id)
where (p.trip_id, p.role) > ($1, $2::text::prediction_role)
    and ($3::integer is null or model_version = $3)
    and ($4::timestamptz is null or pickup_at >= $4)
    and ($5::timestamptz is null or pickup_at < $5)
    and ($6::smallint is null or p.source_id = $6)
order by p.trip_id, p.role
limit $7
"""


@dataclass(frozen=True, slots=True, eq=False)
class StoredPredictions:
    """Predictions that one model version made in one role, and the trips as it saw them, row by row."""

    trips: TripColumns
    predictions: PredictionColumns
    model_version: int
    feature_schema: str
    role: Role


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
    """At most `limit` predictions of trips with a pickup in [since, until), by trip id and role: the same order each time.

    Chunks hold at most `chunk` rows of one maker. Raises DatabaseUnreachable.
    """
    after, remaining = ("", Role.CHAMPION.value), limit
    while remaining is None or remaining > 0:
        count = chunk if remaining is None else min(chunk, remaining)
        async with connected(pool) as connection:
            rows = await connection.fetch(NEXT, *after, version, since, until, source_id, count, timeout=BULK_SECONDS)
        for made_by, made in groupby(sorted(rows, key=_made_by), key=_made_by):
            yield _chunk(list(made), *made_by)
        if len(rows) < count:
            return
        after = (rows[-1]["trip_id"], rows[-1]["role"])
        remaining = None if remaining is None else remaining - len(rows)


def _made_by(row: Record) -> tuple[Any, ...]:
    return tuple(row[name] for name in MADE_BY)


def _chunk(rows: Sequence[Record], version: int, schema: str, role: str) -> StoredPredictions:
    trips = TripColumns(*(_column(rows, field.name) for field in fields(TripColumns)))
    predictions = PredictionColumns(*(_column(rows, field.name) for field in fields(PredictionColumns)))
    return StoredPredictions(trips, predictions, version, schema, Role(role))


def _column(rows: Sequence[Record], name: str) -> np.ndarray[Any, Any]:
    dtype = np.dtype(DTYPES.get(name, "float64"))
    values: np.ndarray[Any, Any] = np.array([row[name] for row in rows], dtype="int64" if dtype == TIME else dtype)
    return values.astype(dtype)
