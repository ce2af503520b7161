"""All stored trips where they are few, else a random sample of whole pages of them, by binary COPY."""

import json
from collections import Counter

import numpy as np

from adapters.postgres.connection.pool import Pool, connected, transaction
from adapters.postgres.history.trips import TRIP_NUMBERS
from adapters.postgres.tables.binary_copy import FixedRows
from adapters.postgres.tables.canaries import NO_CANARY
from adapters.postgres.tables.look_ups import BY_KEY
from domain.entities.trip_samples import TripSample
from domain.entities.trips import TripColumns

FEW = 500_000  # are described one and all
SAMPLED = 200_000
ESTIMATE = """
select coalesce(sum(greatest(reltuples, 0)), 0)::bigint
from pg_partition_tree('trips') as t join pg_class as c on c.oid = t.relid where isleaf
"""
ALL = f"""
select {", ".join(f"t.{name}" for name, _ in TRIP_NUMBERS)},
    coalesce(extract(epoch from c.dropoff_at - c.pickup_at), 'NaN')::float8
from trips as t left join completions as c on c.trip_id = t.trip_id and c.pickup_at = t.pickup_at
where {NO_CANARY}
"""
# Of a sample each end is looked up by key: the planner would join a hundred million rows to a few.
SAMPLE = f"""
select {", ".join(f"t.{name}" for name, _ in TRIP_NUMBERS)}, coalesce(c.seconds, 'NaN')::float8
from (select * from trips tablesample system ({{percent}}) repeatable (1)) as t
left join lateral (
    select extract(epoch from c.dropoff_at - c.pickup_at) as seconds from completions as c
    where c.trip_id = t.trip_id and c.pickup_at = t.pickup_at offset 0
) as c on true
where {NO_CANARY}
"""
REFUSED = "select rejected from loaded_files"


async def trip_sample(pool: Pool, few: int = FEW, sampled: int = SAMPLED) -> TripSample:
    """Raises DatabaseUnreachable."""
    rows = FixedRows(*TRIP_NUMBERS, ("duration", "f8"))
    async with connected(pool) as connection, transaction(connection, isolation="repeatable_read", readonly=True):
        counted = await connection.fetchval(
            f"select count(*) from (select from trips as t where {NO_CANARY} limit {few + 1}) as counted"
        )
        exact = counted <= few
        total = counted if exact else max(counted, await connection.fetchval(ESTIMATE))
        share = 1.0 if exact else min(1.0, sampled / total)
        if not exact:
            await connection.execute(BY_KEY)
        query = ALL if exact else SAMPLE.format(percent=f"{100 * share:.6f}")
        await connection.copy_from_query(query, output=rows.write, format="binary")
    return TripSample(_trips(rows), rows.column("duration"), total, share, exact)


async def refused_rows(pool: Pool) -> dict[str, int]:
    """How many rows of loaded files were refused for each reason. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        found = await connection.fetch(REFUSED)
    counts: Counter[str] = Counter()
    for row in found:
        counts.update(json.loads(row["rejected"]))
    return dict(counts)


def _trips(rows: FixedRows) -> TripColumns:
    pickup_at = rows.times("pickup_at")
    columns = {name: rows.column(name) for name, _ in TRIP_NUMBERS if not name.endswith("_at")}
    return TripColumns(trip_id=np.empty(len(pickup_at), dtype=object), pickup_at=pickup_at, **columns)
