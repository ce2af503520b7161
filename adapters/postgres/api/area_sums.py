"""The map's numbers: trips by cell from area_minutes, their mature errors from quality_minutes."""

from datetime import datetime, timedelta

from asyncpg import Record

from adapters.postgres.api.quality import CLOSED_UNTIL, DECISECONDS
from adapters.postgres.connection.pool import Pool, connected, transaction
from domain.entities.watched import AreaSum, AreaSums

TRIPS = """
select place::text, area, sum(trips)::bigint as trips, sum(predicted_ds)::float8 as predicted
from area_minutes where minute >= $1 and minute < $2 group by 1, 2 order by 1, 2
"""
ERRORS = """
select area, sum(settled)::bigint as settled, sum(abs_error_ds)::float8 as abs_error
from quality_minutes where role = 'champion' and minute >= $1 and minute < $2 group by 1
"""


async def area_sums(pool: Pool, since: datetime, errors_since: datetime, until: datetime, *, maturity: timedelta) -> AreaSums:
    """Trips with a pickup in [since, until), and errors of mature ones from `errors_since` on. Raises DatabaseUnreachable."""
    async with connected(pool) as connection, transaction(connection, isolation="repeatable_read", readonly=True):
        closed: datetime | None = await connection.fetchval(CLOSED_UNTIL)
        trips = await connection.fetch(TRIPS, since, until)
        errors = await connection.fetch(ERRORS, errors_since, closed - maturity) if closed else []
    found = {row["area"]: row for row in errors}
    pickups = tuple(_area(row, found.get(row["area"])) for row in trips if row["place"] == "pickup")
    return AreaSums(pickups, tuple(_area(row, None) for row in trips if row["place"] == "dropoff"))


def _area(row: Record, errors: Record | None) -> AreaSum:
    known = (errors["settled"], errors["abs_error"] / DECISECONDS) if errors and errors["settled"] else (0, 0.0)
    return AreaSum(row["area"], row["trips"], row["predicted"] / DECISECONDS, *known)
