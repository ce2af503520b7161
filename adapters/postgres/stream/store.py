"""`StreamStore` on PostgreSQL: rows and offsets in one transaction."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from asyncpg import CheckViolationError, Record, UniqueViolationError

from adapters.postgres.connection.pool import Connection, Pool, connected, transaction
from adapters.postgres.stream.batch_writer import BatchWriter
from adapters.postgres.tables.lifecycle import insert_lifecycle_event
from adapters.postgres.tables.months import Months
from domain.entities.models import LifecycleEvent
from domain.entities.predictions import PredictionColumns
from domain.entities.streams import BatchReceipt, CommittedPredictions, EventBatch, Position, StreamSource
from domain.entities.trips import TIME, RecordColumns
from domain.ports import Refuse

WRITE_ATTEMPTS = 5
FIND_SOURCE = "select source_id from event_sources where cluster_id = $1 and topic_uuid = $2"
INSERT_SOURCE = """
insert into event_sources (cluster_id, topic, topic_uuid) values ($1, $2, $3)
on conflict do nothing
"""
PREVIOUS_SOURCE = """
select cluster_id, topic, topic_uuid from event_sources
where topic = $1 and (cluster_id, topic_uuid) <> ($2, $3)
order by first_seen_at desc, source_id desc limit 1
"""
POSITIONS = """
select partition, start_offset, next_offset, published_offset, record_offset as suspect, coalesce(attempts, 0) as attempts
from stream_offsets left join stream_suspects using (source_id, partition)
where source_id = $1 and partition = any($2::integer[])
"""
OPEN_PARTITION = """
insert into stream_offsets (source_id, partition, start_offset, next_offset, published_offset) values ($1, $2, $3, $3, $3)
on conflict do nothing
"""
MARK_SUSPECT = """
insert into stream_suspects as s (source_id, partition, record_offset, attempts) values ($1, $2, $3, 1)
on conflict (source_id, partition) do update set
    record_offset = excluded.record_offset,
    attempts = case when s.record_offset = excluded.record_offset then s.attempts + 1 else 1 end,
    marked_at = now()
returning attempts
"""
UNPUBLISHED = """
select p.trip_id, p.duration_seconds, p.lower_seconds, p.upper_seconds, t.record_offset, p.model_version, p.feature_schema,
    (extract(epoch from p.scored_at) * 1000000)::bigint, t.traceparent
from trips as t cross join lateral (
    select * from predictions as p where p.trip_id = t.trip_id and p.pickup_at = t.pickup_at and p.role = 'champion' offset 0
) as p
where t.source_id = $1 and t.partition = $2 and t.record_offset >= $3 and t.record_offset < $4
order by t.record_offset limit $5
"""
MARK_PUBLISHED = """
update stream_offsets as o
set published_offset = b.published_offset, updated_at = now()
from unnest($2::integer[], $3::bigint[]) as b (partition, published_offset)
where o.source_id = $1 and o.partition = b.partition and o.published_offset < b.published_offset
    and b.published_offset <= o.next_offset
"""


class Streams:
    """Rows and offsets of event streams in PostgreSQL."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._months = Months(pool)

    async def register(self, source: StreamSource) -> int:
        """The id of this incarnation of the topic, created on first sight."""
        async with connected(self._pool) as connection:
            source_id = await connection.fetchval(FIND_SOURCE, source.cluster_id, source.topic_uuid)
            if source_id is None:  # looked up first: every attempt to insert takes one of the 32,767 ids
                await connection.execute(INSERT_SOURCE, source.cluster_id, source.topic, source.topic_uuid)
                source_id = await connection.fetchval(FIND_SOURCE, source.cluster_id, source.topic_uuid)
            return int(source_id)

    async def previous_source(self, source: StreamSource) -> StreamSource | None:
        """The newest other incarnation of the same topic name, or None."""
        async with connected(self._pool) as connection:
            row = await connection.fetchrow(PREVIOUS_SOURCE, source.topic, source.cluster_id, source.topic_uuid)
            return StreamSource(*row) if row else None

    async def positions(self, source_id: int, partitions: Sequence[int]) -> dict[int, Position]:
        """Stored positions; a partition that was never read is absent."""
        async with connected(self._pool) as connection:
            return await _positions(connection, source_id, partitions)

    async def open_partition(self, source_id: int, partition: int, start_offset: int) -> Position:
        """Store the first position of a partition; an existing one is returned unchanged."""
        async with connected(self._pool) as connection:
            await connection.execute(OPEN_PARTITION, source_id, partition, start_offset)
            return (await _positions(connection, source_id, [partition]))[partition]

    async def mark_suspect(self, source_id: int, partition: int, offset: int) -> int:
        """Count that this record is about to be handled alone; returns how often, from 1."""
        async with connected(self._pool) as connection:
            return int(await connection.fetchval(MARK_SUSPECT, source_id, partition, offset))

    async def write(self, source_id: int, batch: EventBatch, refuse: Refuse) -> BatchReceipt:
        """Write a batch in one transaction. `refuse` may be called again when another transaction gets in between."""
        for remaining in reversed(range(WRITE_ATTEMPTS)):
            await self._months.ensure(batch.started.pickup_at, batch.completed.pickup_at)
            try:
                async with connected(self._pool) as connection, transaction(connection):
                    return await BatchWriter(connection, source_id, batch).write(refuse)
            except UniqueViolationError:  # one of the trips was stored after we had looked; the next look sees it
                if not remaining:
                    raise
            except CheckViolationError:  # one of the months was pruned since we saw it
                self._months.forget()
                if not remaining:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def unpublished(
        self, source_id: int, partition: int, first_offset: int, limit: int
    ) -> tuple[CommittedPredictions, int]:
        """Committed champion predictions of at most `limit` records from `first_offset` on, and where to go on."""
        async with connected(self._pool) as connection:
            stored = (await _positions(connection, source_id, [partition])).get(partition)
            end = stored.next_offset if stored else first_offset
            rows = await connection.fetch(UNPUBLISHED, source_id, partition, first_offset, end, limit)
        return _committed(partition, rows), rows[-1]["record_offset"] + 1 if len(rows) == limit else max(end, first_offset)

    async def mark_published(self, source_id: int, published: dict[int, int]) -> None:
        """Advance published_offset per partition; never back, nor beyond what is committed (see `ADVANCE` of a batch)."""
        async with connected(self._pool) as connection:
            await connection.execute(MARK_PUBLISHED, source_id, list(published), list(published.values()))

    async def record(self, event: LifecycleEvent) -> None:
        """Append a lifecycle event."""
        async with connected(self._pool) as connection:
            await insert_lifecycle_event(connection, event)


async def _positions(connection: Connection, source_id: int, partitions: Sequence[int]) -> dict[int, Position]:
    rows = await connection.fetch(POSITIONS, source_id, list(partitions))
    return {row["partition"]: Position(**row) for row in rows}


def _committed(partition: int, rows: Sequence[Record]) -> CommittedPredictions:
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True)) or [()] * 9
    trip_id, duration, lower, upper, offset, version, schema, scored_at, traceparent = columns
    return CommittedPredictions(
        PredictionColumns(np.array(trip_id, dtype=object), *(np.array(c, dtype=np.float32) for c in (duration, lower, upper))),
        RecordColumns(np.full(len(rows), partition, dtype=np.int32), np.array(offset, dtype=np.int64)),
        model_version=np.array(version, dtype=np.int32),
        feature_schema=np.array(schema, dtype=object),
        scored_at=np.array(scored_at, dtype=np.int64).astype(TIME),
        traceparent=np.array(traceparent, dtype=object),
    )
