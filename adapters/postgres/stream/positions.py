"""How far a topic is stored, for those who watch the stream from outside; cheap enough to be asked every half second."""

from adapters.postgres.connection.pool import Pool, connected
from domain.entities.service import StoredStream

NEWEST = """
select s.source_id, s.topic_uuid, o.partition, o.next_offset, o.published_offset, o.updated_at, m.newest
from event_sources as s
left join stream_offsets as o using (source_id)
left join monitor_positions as m on m.source_id = o.source_id and m.partition = o.partition
where s.source_id = (select max(source_id) from event_sources where topic = $1)
"""


async def stored_stream(pool: Pool, topic: str) -> StoredStream | None:
    """What is stored of the topic's newest incarnation; None when it was never read. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        found = await connection.fetch(NEWEST, topic)
    if not found:
        return None
    rows = [row for row in found if row["partition"] is not None]
    return StoredStream(
        source_id=found[0]["source_id"],
        topic_uuid=found[0]["topic_uuid"],
        next={row["partition"]: row["next_offset"] for row in rows},
        published={row["partition"]: row["published_offset"] for row in rows},
        moved_at=max((row["updated_at"] for row in rows), default=None),
        newest=max((row["newest"] for row in rows if row["newest"] is not None), default=None),
    )
