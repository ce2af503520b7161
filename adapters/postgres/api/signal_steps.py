"""What the loop's watcher saw of each signal, step by step of event time, for the board."""

from datetime import datetime

from asyncpg import Record

from adapters.postgres.connection.pool import Pool, connected
from domain.entities.watched import SignalStep

COLUMNS = "event_at, signal, value, statistic, threshold, state, cooling_until, model_version"
# The newest steps of every signal, whatever time they tell: by key, for there are few signals and many steps.
NEWEST = f"""
with recursive signals as (
    (select signal from drift_signals order by signal limit 1)
    union all
    select (select d.signal from drift_signals as d where d.signal > s.signal order by d.signal limit 1)
    from signals as s where s.signal is not null
)
select d.* from signals as s
cross join lateral (
    select {COLUMNS} from drift_signals as d where d.signal = s.signal order by d.event_at desc limit $1
) as d
where s.signal is not null
order by d.signal, d.event_at
"""
OF_ONE = f"""
select {COLUMNS} from (
    select {COLUMNS} from drift_signals where signal = $1 and ($2::timestamptz is null or event_at >= $2)
    order by event_at desc limit $3
) as newest order by event_at
"""


async def newest_steps(pool: Pool, limit: int) -> list[SignalStep]:
    """The newest `limit` steps of each signal, by signal and time. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        return [_step(row) for row in await connection.fetch(NEWEST, limit)]


async def steps_of_signal(pool: Pool, signal: str, since: datetime | None, limit: int) -> list[SignalStep]:
    """The newest `limit` steps of one signal from `since` on, event time, in order. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        return [_step(row) for row in await connection.fetch(OF_ONE, signal, since, limit)]


def _step(row: Record) -> SignalStep:
    return SignalStep(**row)
