"""How many trips a model could learn from."""

from adapters.postgres.connection.pool import Pool, connected

COUNT = "select count(*) from (select from trips join completions using (trip_id, pickup_at) limit $1) as labelled"


async def labelled_trips_up_to(pool: Pool, limit: int) -> int:
    """The number of trips that have started and ended, counted no further than `limit`."""
    async with connected(pool) as connection:
        count: int = await connection.fetchval(COUNT, limit)
    return count
