"""Canary trips are rows like any other, audited and verified; what is asked about the city leaves them out by this."""

from adapters.postgres.connection.pool import Pool, connected
from adapters.postgres.tables.look_ups import by_id
from domain.entities.canaries import PREFIX

NO_CANARY = f"not starts_with(t.trip_id, '{PREFIX}')"  # of a query that calls its trips t
STORED = f"""
select exists (
    select from trips as t cross join lateral (
        select from predictions as p where p.trip_id = t.trip_id and p.pickup_at = t.pickup_at and p.role = 'champion' offset 0
    ) as predicted
    where {by_id("$1")}
)
"""


async def is_stored(pool: Pool, trip_id: str) -> bool:
    """Whether the trip is a row with its prediction. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        return bool(await connection.fetchval(STORED, trip_id))
