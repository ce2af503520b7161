"""Refused events without their bytes: how many, why, and which; what a login may ask that must not see payloads."""

from datetime import datetime

from asyncpg import Record

from adapters.postgres.connection.pool import Pool, connected
from domain.entities.rejections import Reason
from domain.errors import InvalidInput
from schemas.http.trips import DeadLetter, ReasonCount

BY_MINUTE = """
select date_trunc('minute', recorded_at) as minute, count(*) from dead_letters where recorded_at >= $1 group by 1 order by 1
"""
COUNTS = """
select reason, count(*) as count, count(*) filter (where recorded_at >= now() - interval '1 hour') as last_hour,
    max(recorded_at) as newest_at
from dead_letters group by reason order by count(*) desc, reason
"""
COLUMNS = """
select dead_letter_id, topic, partition, record_offset as "offset", record_at, recorded_at, replayed_at, reason, detail
from dead_letters join event_sources using (source_id)
"""
NEWEST = COLUMNS + "where $1::text is null or reason = $1 order by dead_letter_id desc limit $2"
GET = COLUMNS + "where dead_letter_id = $1"
DESCRIPTIONS = {str(reason): reason.description for reason in Reason}


async def quarantined_by_minute(pool: Pool, since: datetime) -> dict[datetime, int]:
    """How many were refused in each minute of wall time that has any. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        return {row["minute"]: row["count"] for row in await connection.fetch(BY_MINUTE, since)}


async def reason_counts(pool: Pool) -> list[ReasonCount]:
    """Every reason that occurs, most frequent first. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        rows = await connection.fetch(COUNTS)
    return [ReasonCount(**row, description=DESCRIPTIONS.get(row["reason"], "")) for row in rows]


async def newest_letters(pool: Pool, reason: str | None, limit: int) -> list[DeadLetter]:
    """The newest first, without bytes. Raises DatabaseUnreachable, and InvalidInput for a reason that is none."""
    if reason is not None and reason not in DESCRIPTIONS:
        raise InvalidInput(f"{reason} is no reason; the reasons are {', '.join(DESCRIPTIONS)}")
    async with connected(pool) as connection:
        return [_letter(row) for row in await connection.fetch(NEWEST, reason, limit)]


async def one_letter(pool: Pool, dead_letter_id: int) -> DeadLetter | None:
    """One of them, without bytes; None when there is none with that id. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        row = await connection.fetchrow(GET, dead_letter_id)
    return _letter(row) if row else None


def _letter(row: Record) -> DeadLetter:
    return DeadLetter(**row, description=DESCRIPTIONS.get(row["reason"], ""))
