"""Months of history that go: taken out without making a writer wait, then accounted for and dropped in one transaction.

A crash leaves a month taken out and not yet dropped; its records are still counted by an audit (`history_being_pruned`), and
the next prune goes on where this one stopped. An event of such a month that comes meanwhile puts the month back.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime

from asyncpg import InsufficientPrivilegeError

from adapters.postgres.connection.pool import Connection, transaction
from adapters.postgres.tables.canaries import NO_CANARY
from adapters.postgres.tables.lifecycle import insert_lifecycle_event
from domain.entities.models import LifecycleEvent
from domain.errors import InvalidInput

PARENTS = ("trips", "predictions", "completions")  # trips first: what has no trip is asked for by nobody
MONTHS = """
select first, sum(bytes)::bigint as bytes, bool_or(taken_out) as taken_out from (
    select to_date(right(relname, 7), 'YYYY_MM') as first, pg_total_relation_size(c.oid) as bytes,
        coalesce(inhdetachpending, true) as taken_out
    from pg_class as c left join pg_inherits on inhrelid = c.oid
    where relnamespace = 'public'::regnamespace and relkind = 'r'
        and relname ~ '^(trips|predictions|completions)_\\d{4}_\\d\\d$'
) as partitions group by 1 order by 1
"""
LOCK_CLASS = 874_722_780  # as in the migrations; the other half is the month's first day, counted from 1970
STATE = "select inhdetachpending from pg_inherits where inhrelid = to_regclass($1)"
EXISTS = "select to_regclass($1) is not null"
COUNT = "select count(*) from {}"
# Stretches of consecutive offsets become one range each.
RECORD = """
with gone as (
    select source_id, partition, record_offset, record_offset - row_number() over (
        partition by source_id, partition order by record_offset
    ) as stretch
    from ({}) as records
)
insert into skipped_records (source_id, partition, first_offset, last_offset, reason)
select source_id, partition, min(record_offset), max(record_offset), 'pruned' from gone
group by source_id, partition, stretch
on conflict do nothing
"""
RECORDS_OF = "select source_id, partition, record_offset from {} where source_id is not null"
# What lies side by side is one range, so that years of pruning leave a few rows.
MERGE = """
with old as (
    delete from skipped_records where reason = 'pruned' returning *
), begun as (
    select *, first_offset is distinct from 1 + lag(last_offset) over in_order as begins from old
    window in_order as (partition by source_id, partition order by first_offset)
), stretches as (
    select *, count(*) filter (where begins) over (partition by source_id, partition order by first_offset) as stretch
    from begun
)
insert into skipped_records (source_id, partition, first_offset, last_offset, reason, recorded_at)
select source_id, partition, min(first_offset), max(last_offset), 'pruned', max(recorded_at) from stretches
group by source_id, partition, stretch
"""
NEWEST = "select coalesce((select max(closed_until) from open_tallies), (select max(minute) from quality_minutes))"
# Records that are not on Kafka yet, or that the Monitor has not taken in, are still to be read; those of a topic that was
# created anew are not.
UNREAD = """
select o.source_id, o.partition,
    least(o.published_offset, m.next_offset) <= (
        select max(record_offset) from {} as t where t.source_id = o.source_id and t.partition = o.partition
    ) as unread
from stream_offsets as o join event_sources as s using (source_id)
left join monitor_positions as m using (source_id, partition)
where not exists (
    select from event_sources as newer where newer.topic = s.topic and newer.source_id > s.source_id
)
"""


@dataclass(frozen=True, slots=True)
class Month:
    """One month on disk. `taken_out`: by a prune that did not end."""

    first: date
    bytes: int
    taken_out: bool


async def months(connection: Connection) -> list[Month]:
    """All months, in order."""
    return [Month(**row) for row in await connection.fetch(MONTHS)]


async def newest_event(connection: Connection) -> datetime | None:
    """Event time as far as the loop has come, else the newest pickup; None when nothing is stored."""
    newest: datetime | None = await connection.fetchval(NEWEST)
    return newest or await connection.fetchval(f"select max(pickup_at) from trips as t where {NO_CANARY}")


async def refuse_unread(connection: Connection, first: date) -> None:
    """Raises InvalidInput when something has yet to read the month's trips."""
    table = f"trips_{first:%Y_%m}"
    if not await connection.fetchval(EXISTS, f"public.{table}"):
        return
    for row in await connection.fetch(UNREAD.format(table)):
        if row["unread"]:
            raise InvalidInput(
                f"trips of {first:%Y-%m} are not all published and taken in by the Monitor yet (partition {row['partition']}): "
                "let a worker run first"
            )


async def prune_month(connection: Connection, first: date, actor: str) -> int:
    """Drop a month; returns how many trips it had. Idempotent. `connection` is outside a transaction.

    Raises InvalidInput for a login that does not own the tables.
    """
    key = (first - date(1970, 1, 1)).days
    await connection.execute("select pg_advisory_lock($1, $2)", LOCK_CLASS, key)
    try:
        for parent in PARENTS:
            await _take_out(connection, parent, first)
        return await _drop(connection, first, actor)
    except InsufficientPrivilegeError as error:
        raise InvalidInput("only the owner of the tables may prune them: use the login that migrates") from error
    finally:
        await connection.execute("select pg_advisory_unlock($1, $2)", LOCK_CLASS, key)


async def _take_out(connection: Connection, parent: str, first: date) -> None:
    month = f"{parent}_{first:%Y_%m}"
    pending: bool | None = await connection.fetchval(STATE, f"public.{month}")
    if pending is False:
        await connection.execute(f"alter table public.{parent} detach partition public.{month} concurrently")
    elif pending:  # by somebody who did not live to see the end of it
        await connection.execute(f"alter table public.{parent} detach partition public.{month} finalize")


async def _drop(connection: Connection, first: date, actor: str) -> int:
    tables = [name for name in (f"{parent}_{first:%Y_%m}" for parent in PARENTS) if await _exists(connection, name)]
    with_records = [table for table in tables if not table.startswith("predictions")]
    async with transaction(connection):
        trips = 0
        for table in tables:
            if table.startswith("trips"):
                trips = await connection.fetchval(COUNT.format(table))
        if with_records:
            await record_as_pruned(connection, " union all ".join(map(RECORDS_OF.format, with_records)))
        for table in tables:
            await connection.execute(f"drop table public.{table}")
        event = LifecycleEvent(
            "history.pruned", f"{first:%Y-%m}", actor, "older than they are kept", datetime.now(UTC), {"trips": trips}
        )
        await insert_lifecycle_event(connection, event)
    return trips


async def record_as_pruned(connection: Connection, records: str, *arguments: object) -> None:
    """Account for the records of a query (source_id, partition, record_offset) as ranges. Within a transaction."""
    await connection.execute(RECORD.format(records), *arguments)
    await connection.execute(MERGE)


async def _exists(connection: Connection, table: str) -> bool:
    return bool(await connection.fetchval(EXISTS, f"public.{table}"))
