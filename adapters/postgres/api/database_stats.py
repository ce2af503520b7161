"""How much the database holds, from the catalogue: no table is read, but for small ones that were never analysed."""

from asyncpg import Record

from adapters.postgres.connection.pool import Connection, Pool, connected, transaction
from schemas.http.trips import DatabaseStats, TableSize

# A table in partitions is one table, as large as they are together.
TABLES = """
select r.relname as name, sum(greatest(c.reltuples, 0))::bigint as rows, sum(pg_total_relation_size(c.oid))::bigint as bytes,
    sum(pg_relation_size(c.oid))::bigint as heap
from pg_class as r
left join lateral (select relid from pg_partition_tree(r.oid) where isleaf) as part on true
join pg_class as c on c.oid = coalesce(part.relid, r.oid)
where r.relkind in ('r', 'p') and not r.relispartition and r.relnamespace = 'public'::regnamespace
    and r.relname <> 'alembic_version'
group by r.relname order by bytes desc, name
"""
TOTALS = """
select pg_database_size(current_database()) as bytes,
    (select count(*) from pg_stat_activity where datname = current_database()) as connections
"""
PICKUPS = "select min(minute), max(minute) from quality_minutes"  # of scored trips; by key, where a trip's own time has none
SMALL_BYTES = 4 * 1024 * 1024


async def database_stats(pool: Pool) -> DatabaseStats:
    """Raises DatabaseUnreachable."""
    async with connected(pool) as connection, transaction(connection, readonly=True):
        [totals] = await connection.fetch(TOTALS)
        tables = [await _table(connection, row) for row in await connection.fetch(TABLES)]
        [(first, last)] = await connection.fetch(PICKUPS)
    return DatabaseStats(
        bytes=totals["bytes"], tables=tables, first_pickup_at=first, last_pickup_at=last, connections=totals["connections"]
    )


async def database_bytes(pool: Pool) -> int:
    """How large the database is on disk. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        size: int = await connection.fetchval("select pg_database_size(current_database())")
    return size


async def _table(connection: Connection, row: Record) -> TableSize:
    """Counted where that costs nothing and the login may; a table that the planner knows nothing of has -1 rows there."""
    name, readable = row["name"], await connection.fetchval("select has_any_column_privilege($1, 'select')", row["name"])
    if readable and row["heap"] <= SMALL_BYTES:
        rows = await connection.fetchval(f'select count(*) from "{name}"')
        return TableSize(name=name, rows=rows, exact=True, bytes=row["bytes"])
    return TableSize(name=name, rows=max(0, row["rows"]), exact=False, bytes=row["bytes"])
