"""The stream by minute of wall time, as an API saw it: written once a minute, read when an API starts and for long charts."""

import json
from collections.abc import Sequence
from datetime import datetime

from asyncpg import Record

from adapters.postgres.connection.pool import Pool, connected
from adapters.postgres.tables.storable import as_json
from domain.entities.service import LATENCY_BUCKETS, ServiceMinute

COLUMNS = (
    """minute, seconds_seen, received, scored, quarantined, latency_counts, lag_events, lag_seconds, event_time, requests"""
)
# Of several APIs, or of one that was started anew within the minute, the one that saw more of it is right.
WRITE = f"""
insert into service_minutes as s ({COLUMNS}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (minute) do update set seconds_seen = excluded.seconds_seen, received = excluded.received,
    scored = excluded.scored, quarantined = excluded.quarantined, latency_counts = excluded.latency_counts,
    lag_events = excluded.lag_events, lag_seconds = excluded.lag_seconds, event_time = excluded.event_time,
    requests = excluded.requests
where excluded.seconds_seen >= s.seconds_seen
"""
SINCE = f"select {COLUMNS} from service_minutes where minute >= $1 order by minute"
COUNTS = ", ".join(f"sum(latency_counts[{number + 1}])::bigint" for number in range(len(LATENCY_BUCKETS) + 1))
BY_STEP = f"""
select date_bin($1::interval, minute, '2000-01-01Z') as minute, sum(seconds_seen)::bigint as seconds_seen,
    sum(received)::bigint as received, sum(scored)::bigint as scored, sum(quarantined)::bigint as quarantined,
    array[{COUNTS}] as latency_counts, (array_agg(lag_events order by minute desc))[1] as lag_events,
    (array_agg(lag_seconds order by minute desc))[1] as lag_seconds, max(event_time) as event_time,
    sum(requests)::bigint as requests
from service_minutes group by 1 order by 1
"""
FIRST = "select min(minute) from service_minutes"


async def write_minute(pool: Pool, minute: ServiceMinute) -> None:
    """Keep a minute, unless one is kept of which more was seen. Idempotent. Raises DatabaseUnreachable."""
    counts = (minute.received, minute.scored, minute.quarantined, list(minute.latency_counts))
    lag = (as_json(dict(minute.lag_events)), minute.lag_seconds)
    async with connected(pool) as connection:
        await connection.execute(WRITE, minute.minute, minute.seconds_seen, *counts, *lag, minute.event_time, minute.requests)


async def minutes_since(pool: Pool, since: datetime) -> list[ServiceMinute]:
    """Those from `since` on, oldest first. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        return [_minute(row) for row in await connection.fetch(SINCE, since)]


async def all_minutes(pool: Pool, most: int = 240) -> tuple[float, Sequence[ServiceMinute]]:
    """Everything in at most `most` steps of equal length: that length in seconds, and the sums of each step.

    Lag and event time are those of a step's end. Raises DatabaseUnreachable.
    """
    async with connected(pool) as connection:
        first: datetime | None = await connection.fetchval(FIRST)
        if first is None:
            return 60.0, []
        span: datetime = await connection.fetchval("select now()")
        step = max(1, -(-int((span - first).total_seconds()) // (60 * (most - 2)))) * 60
        rows = await connection.fetch(BY_STEP.replace("$1", f"'{step} seconds'"))
    return float(step), [_minute(row) for row in rows]


def _minute(row: Record) -> ServiceMinute:
    counts = tuple(count or 0 for count in row["latency_counts"])
    return ServiceMinute(**{**row, "latency_counts": counts, "lag_events": json.loads(row["lag_events"])})
