"""A day of roll-ups at 1,000 events/s, written by SQL: the tables as they would be, with the cells that the city has."""

import asyncio
from collections import Counter

from benchmarks.stream.events import city_trips
from benchmarks.world import World
from domain.areas import AreaGrid
from domain.entities.service import LATENCY_BUCKETS

TRIPS_A_MINUTE = 30_000  # two events each
MINUTES = "generate_series(date_trunc('minute', now()) - interval '24 hours', date_trunc('minute', now()), interval '1 minute')"
SERVICE = f"""
insert into service_minutes (minute, seconds_seen, received, scored, quarantined, latency_counts, lag_events, lag_seconds,
    event_time, requests)
select minute, 60, 60000, 30000, 3, array_fill(60000 / {len(LATENCY_BUCKETS) + 1}::bigint, array[{len(LATENCY_BUCKETS) + 1}]),
    '{{"0": 5, "1": 7, "2": 3, "3": 4, "4": 9, "5": 2}}', 0.01, minute + interval '1 minute', 1200
from {MINUTES} as minute
on conflict do nothing
"""
AREAS = f"""
insert into area_minutes (minute, place, area, trips, predicted_ds)
select minute, place::trip_end, area, trips, trips * 6000
from {MINUTES} as minute, unnest($1::text[], $2::smallint[], $3::bigint[]) as places (place, area, trips)
on conflict do nothing
"""
QUALITY = f"""
insert into quality_minutes (minute, role, model_version, area, vendor_id, started, settled, error_ds, abs_error_ds,
    square_error_ds2, log_ratio_u, square_log_ratio_u, covered)
select minute, role::prediction_role, case role when 'champion' then 2 else 1 end, area, vendor,
    half, half, half * 20, half * 900, half * 1500000, half * 2000, half * 60000, half * 9 / 10
from {MINUTES} as minute, unnest(array['champion', 'challenger']) as role, generate_series(1, 2) as vendor,
    unnest($1::smallint[], $2::bigint[]) as cells (area, trips), lateral (select (trips + 1) / 2 as half) as shared
on conflict do nothing
"""
SIGNALS = """
insert into drift_signals (event_at, signal, value, samples, statistic, threshold, state, model_version)
select step, signal, 0.01 * sin(extract(epoch from step) / 9000), 2500, 0.4, 1.0, 'ok', 2
from generate_series(now() - interval '24 hours', now(), interval '5 minutes') as step,
    unnest(array['residual', 'completion_ratio', 'trip_length', 'hour', 'area_mix', 'missing', 'refused', 'feed']) as signal
on conflict do nothing
"""
CLOSED = """
insert into open_tallies (source_id, body, closed_until) select source_id, '', now() from event_sources
on conflict (source_id) do update set closed_until = now()
"""


def seed(world: World) -> dict[str, int]:
    """Write them; returns how many rows each table has."""
    trips, _ = city_trips(TRIPS_A_MINUTE, seed=9)
    grid = AreaGrid()
    pickups = Counter(grid.of(trips.pickup_latitude, trips.pickup_longitude).tolist())
    dropoffs = Counter(grid.of(trips.dropoff_latitude, trips.dropoff_longitude).tolist())
    return asyncio.run(_write(world, pickups, dropoffs))


async def _write(world: World, pickups: Counter[int], dropoffs: Counter[int]) -> dict[str, int]:
    places = ["pickup"] * len(pickups) + ["dropoff"] * len(dropoffs)
    await world.fetch(SERVICE)
    await world.fetch(AREAS, places, [*pickups, *dropoffs], [*pickups.values(), *dropoffs.values()])
    await world.fetch(QUALITY, list(pickups), list(pickups.values()))
    await world.fetch(SIGNALS)
    await world.fetch(CLOSED)
    await world.fetch("vacuum analyze")
    tables = ("service_minutes", "area_minutes", "quality_minutes", "drift_signals")
    return {table: (await world.fetch(f"select count(*) from {table}"))[0][0] for table in tables}
