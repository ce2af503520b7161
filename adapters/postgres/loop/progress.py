"""How far the closed loop is: what a replay in lockstep waits for."""

from adapters.postgres.connection.pool import Pool, connected, transaction
from adapters.postgres.loop.requests import unlearnt_answers
from domain.entities.progress import LoopProgress
from domain.entities.streams import StreamSource
from domain.loop.journal import minute_at

POSITIONS = """
select m.partition, m.next_offset, m.newest from monitor_positions as m join event_sources as s using (source_id)
where s.cluster_id = $1 and s.topic_uuid = $2
"""
CLOSED = """
select max(o.closed_until) from open_tallies as o join event_sources as s using (source_id)
where s.cluster_id = $1 and s.topic_uuid = $2
"""
OPEN = "select count(*) from loop_requests where answered_at is null"
VERSION = """
select (body ->> 'version')::integer from loop_journal
where kind = 'fact' and body ->> 'fact' = $1 order by seq desc limit 1
"""


async def loop_progress(pool: Pool, source: StreamSource) -> LoopProgress:
    """Where the loop stands in this incarnation of the topic. Raises DatabaseUnreachable."""
    identity = source.cluster_id, source.topic_uuid
    unlearnt = len(await unlearnt_answers(pool))
    async with connected(pool) as connection, transaction(connection, isolation="repeatable_read", readonly=True):
        rows = await connection.fetch(POSITIONS, *identity)
        closed = await connection.fetchval(CLOSED, *identity)
        asked = await connection.fetchval(OPEN)
        champion, shadow = [await connection.fetchval(VERSION, fact) for fact in ("champion", "challenger")]
    return LoopProgress(
        next_offsets={row["partition"]: row["next_offset"] for row in rows},
        newest_minute=max((minute_at(row["newest"]) for row in rows if row["newest"]), default=None),
        closed_until=minute_at(closed) if closed else None,
        open_requests=asked + unlearnt,
        champion=champion,
        shadow=shadow,
    )
