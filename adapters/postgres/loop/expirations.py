"""Trips whose end does not come are given up, as a row of their own; an end that comes later still settles them."""

from dataclasses import dataclass
from datetime import datetime

from adapters.postgres.connection.pool import Connection, Pool, connected, transaction
from adapters.postgres.tables.canaries import NO_CANARY
from adapters.postgres.tables.look_ups import BY_KEY
from domain.loop.journal import moment

# `lateral` and `offset 0`: see `batch_writer`. Trips from files have ended.
EXPIRE = f"""
insert into expirations (trip_id, pickup_at, expired_at)
select t.trip_id, t.pickup_at, $3 from trips as t
left join lateral (select true as done from completions as c where c.trip_id = t.trip_id and c.pickup_at = t.pickup_at
    and c.pickup_at >= $1 and c.pickup_at < $2 offset 0) as ended on true
where t.pickup_at >= $1 and t.pickup_at < $2 and t.source_id is not null and ended.done is null
    and {NO_CANARY}
on conflict do nothing
"""
COUNTS = """
select count(*) as expired, count(ended.done) as late from expirations as e
left join lateral (select true as done from completions as c where c.trip_id = e.trip_id and c.pickup_at = e.pickup_at
    and ($1::timestamptz is null or c.pickup_at >= $1) and ($2::timestamptz is null or c.pickup_at < $2) offset 0
) as ended on true
where ($1::timestamptz is null or e.pickup_at >= $1) and ($2::timestamptz is null or e.pickup_at < $2)
"""


@dataclass(frozen=True, slots=True)
class Expirations:
    """Trips that were given up, and how many of these have ended after all."""

    expired: int
    late: int


async def expire(connection: Connection, first: int, until: int, now: int) -> int:
    """Give up trips with a pickup in the minutes [first, until) that have not ended; returns how many. Idempotent.

    `now` is the minute, in event time, at which that is done.
    """
    await connection.execute(BY_KEY)
    status: str = await connection.execute(EXPIRE, moment(first), moment(until), moment(now))
    return int(status.rpartition(" ")[2])


async def expirations(pool: Pool, since: datetime | None = None, until: datetime | None = None) -> Expirations:
    """How many trips with a pickup in [since, until) were given up. Raises DatabaseUnreachable."""
    async with connected(pool) as connection, transaction(connection, readonly=True):
        await connection.execute(BY_KEY)
        [row] = await connection.fetch(COUNTS, since, until)
    return Expirations(row["expired"], row["late"])
