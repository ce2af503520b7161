"""How far the stream has been read, for those who watch it from outside."""

from adapters.postgres.connection.pool import Pool, connected

NEWEST = """
select partition, next_offset from stream_offsets where source_id = (select max(source_id) from stream_offsets)
"""


async def stored_offsets(pool: Pool) -> dict[int, int]:
    """The next offset of each partition that was ever read, of the newest topic. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        return {row["partition"]: row["next_offset"] for row in await connection.fetch(NEWEST)}
