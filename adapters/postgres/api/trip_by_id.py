"""Everything that is stored of one trip."""

import msgspec
from asyncpg import Record

from adapters.postgres.connection.pool import Pool, connected, transaction
from adapters.postgres.tables.look_ups import by_id
from schemas.events import Point, TripStarted
from schemas.http.trips import Trip, TripPrediction

TRIP = f"""
select t.trip_id, t.vendor_id, t.passenger_count, t.pickup_at, t.pickup_latitude, t.pickup_longitude, t.dropoff_latitude,
    t.dropoff_longitude, t.recorded_at, s.topic, t.partition, t.record_offset, t.traceparent, c.dropoff_at
from trips as t
left join event_sources as s using (source_id)
left join completions as c on c.trip_id = t.trip_id and c.pickup_at = t.pickup_at
where {by_id("$1")}
order by t.pickup_at desc limit 1
"""
PREDICTIONS = """
select role::text, model_version, feature_schema, duration_seconds, lower_seconds, upper_seconds, scored_at
from predictions where trip_id = $1 and pickup_at = $2 order by role
"""


async def trip_by_id(pool: Pool, trip_id: str) -> Trip | None:
    """The trip with what was said of it, the newest of this id; None when there is none. Raises DatabaseUnreachable."""
    async with connected(pool) as connection, transaction(connection, isolation="repeatable_read", readonly=True):
        row = await connection.fetchrow(TRIP, trip_id)
        predictions = await connection.fetch(PREDICTIONS, trip_id, row["pickup_at"]) if row else []
    return _trip(row, [TripPrediction(**each) for each in predictions]) if row else None


def _trip(row: Record, predictions: list[TripPrediction]) -> Trip:
    pickup = Point(latitude=row["pickup_latitude"], longitude=row["pickup_longitude"])
    dropoff = Point(latitude=row["dropoff_latitude"], longitude=row["dropoff_longitude"])
    actual = None if row["dropoff_at"] is None else (row["dropoff_at"] - row["pickup_at"]).total_seconds()
    champion = next((each for each in predictions if each.role == "champion"), None)
    error, within = _judged(champion, actual)
    event = TripStarted(row["trip_id"], row["vendor_id"], row["passenger_count"], row["pickup_at"], pickup, dropoff)
    return Trip(
        trip_id=row["trip_id"],
        vendor_id=row["vendor_id"],
        passenger_count=row["passenger_count"],
        pickup_at=row["pickup_at"],
        pickup=pickup,
        dropoff=dropoff,
        recorded_at=row["recorded_at"],
        topic=row["topic"],
        partition=row["partition"],
        offset=row["record_offset"],
        traceparent=row["traceparent"],
        predictions=predictions,
        dropoff_at=row["dropoff_at"],
        actual_seconds=actual,
        error_seconds=error,
        within_interval=within,
        raw_event=msgspec.to_builtins(event, builtin_types=()) if row["topic"] is not None else None,
    )


def _judged(said: TripPrediction | None, actual: float | None) -> tuple[float | None, bool | None]:
    """Predicted minus actual, seconds, and whether the interval held; unknown while the trip lasts."""
    if said is None or actual is None:
        return None, None
    return said.duration_seconds - actual, said.lower_seconds <= actual <= said.upper_seconds
