"""A day of roll-ups as a stream of 1,000 events a second leaves them, made by the database itself."""

from datetime import UTC, datetime, timedelta

from adapters.postgres.connection.pool import Pool, connected

AREAS, VENDORS, MINUTES = 40, 2, 1440
EVENTS_A_SECOND = 1000
TRIPS_OF_A_CELL = EVENTS_A_SECOND * 60 // 2 // (AREAS * VENDORS)  # of a minute; every trip is two events

QUALITY = f"""
insert into quality_minutes
select $1::timestamptz - make_interval(mins => m), 'champion', 1, a, v, {TRIPS_OF_A_CELL},
    case when m < 60 then {TRIPS_OF_A_CELL // 2} else {TRIPS_OF_A_CELL} end, -1000, 60 * {TRIPS_OF_A_CELL} * (10 + a % 5),
    60 * 60 * {TRIPS_OF_A_CELL} * 200, 0, 0, {TRIPS_OF_A_CELL} * 9 / 10
from generate_series(1, $2) as m, generate_series(0, {AREAS - 1}) as a, generate_series(1, {VENDORS}) as v
"""
PLACES = f"""
insert into area_minutes
select $1::timestamptz - make_interval(mins => m), place::trip_end, a, {TRIPS_OF_A_CELL * VENDORS},
    {TRIPS_OF_A_CELL * VENDORS} * 6000
from generate_series(1, $2) as m, unnest(array['pickup', 'dropoff']) as place, generate_series(0, {AREAS - 1}) as a
"""
SERVICE = f"""
insert into service_minutes
select $1::timestamptz - make_interval(mins => m), 60, {60 * EVENTS_A_SECOND}, {30 * EVENTS_A_SECOND}, {EVENTS_A_SECOND // 20},
    (select array_agg(case when b between 4 and 9 then {10 * EVENTS_A_SECOND} else 0 end) from generate_series(1, 20) as b),
    (select jsonb_object_agg(p, 3) from generate_series(0, 5) as p), 0.4, $1::timestamptz - make_interval(mins => m - 1), 60
from generate_series(1, $2) as m
"""
SIGNALS = """
insert into drift_signals
select $1::timestamptz - make_interval(mins => 5 * m), s, 0.01 * m, 1000, 0.1, 1.0, 'ok', null, 1
from generate_series(1, $2 / 5) as m,
    unnest(array['log_ratio', 'completion_ratio', 'prediction', 'trip_length', 'missing_share', 'refused_share']) as s
"""
CLOSED = """
insert into open_tallies (source_id, body, closed_until) values ($2, '', $1)
on conflict (source_id) do update set closed_until = excluded.closed_until
"""
SOURCE = """
insert into event_sources (cluster_id, topic, topic_uuid) values ('busy', 'trip-events', gen_random_uuid()) returning source_id
"""
TRIPS = """
with made as (
    select 'trip-' || n as trip_id, $1::timestamptz - make_interval(secs => n * 0.002) as pickup_at, n % 6 as partition,
        ($3 - n) / 6 as record_offset, 40.5 + (n % 10) * 0.05 + 0.01 as latitude, -74.3 + (n % 12) * 0.05 + 0.01 as longitude
    from generate_series(1, $3) as n
), trips_made as (
    insert into trips
    select trip_id, 1, 1, pickup_at, latitude, longitude, latitude, longitude, $2, partition, record_offset, pickup_at, null,
        pickup_at - interval '20 ms' from made
), ends as (
    insert into completions select trip_id, pickup_at, pickup_at + interval '600 s', false, $2, partition,
        record_offset + 10000000, pickup_at from made where substr(trip_id, 6)::integer % 2 = 0
)
insert into predictions
select trip_id, 'champion', 1, 'schema', 600, 400, 800, pickup_at, $2, partition, record_offset, pickup_at from made
"""
MONTHS = """
select ensure_history_month(first::date) from generate_series(
    date_trunc('month', ($1::timestamptz - $2 * interval '2 ms') at time zone 'UTC'), $1 at time zone 'UTC', interval '1 month'
) as first
"""
OFFSETS = """
insert into stream_offsets (source_id, partition, start_offset, next_offset, published_offset)
select $1, p, 0, 20000000, 20000000 from generate_series(0, 5) as p
"""


async def fill(pool: Pool, minutes: int = MINUTES, trips: int = 60_000) -> datetime:
    """Fill an empty, migrated database with `minutes` up to now; event time is wall time. Returns the newest pickup."""
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    async with connected(pool) as connection:
        source = await connection.fetchval(SOURCE)
        await connection.execute(OFFSETS, source)
        for query in (QUALITY, PLACES, SERVICE, SIGNALS):
            await connection.execute(query, now, minutes, timeout=300)
        await connection.execute(CLOSED, now, source)
        await connection.execute(MONTHS, now, trips)
        await connection.execute(TRIPS, now, source, trips, timeout=300)
        await connection.execute("analyze", timeout=300)
    return now - timedelta(seconds=0.002)
