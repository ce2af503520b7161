"""Put back rows of the stream that are missing, in one transaction under the lock of the worker that owns the partition."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import numpy as np
from asyncpg import UniqueViolationError
from numpy.typing import NDArray

from adapters.postgres.connection.pool import Pool, connected, transaction
from adapters.postgres.history.predictions import INPUTS
from adapters.postgres.stream.batch_writer import LOCK, BatchWriter
from adapters.postgres.stream.refused import insert_dead_letters, insert_ranges, insert_repeats
from adapters.postgres.stream.settling import Verdict
from adapters.postgres.stream.store import WRITE_ATTEMPTS
from adapters.postgres.tables.lifecycle import insert_lifecycle_event
from adapters.postgres.tables.look_ups import BY_KEY
from adapters.postgres.tables.months import Months
from adapters.postgres.tables.rows import completion_rows, prediction_rows, trip_rows
from domain.entities.models import LifecycleEvent
from domain.entities.repairs import Answers, Neighbour, Remade, Restored, StoredTrips
from domain.entities.streams import ModelStamp, StreamSource
from domain.entities.trips import TIME, RecordColumns, TripColumns
from domain.errors import Fenced
from domain.ports import Refuse

SOURCES = "select source_id, cluster_id, topic, topic_uuid from event_sources"
# Walks along the trips' records from each offset to the first one with a prediction.
NEIGHBOURS = """
select o.missing, n.* from unnest($3::bigint[]) as o (missing) cross join lateral (
    select t.record_offset, p.model_version, p.feature_schema, p.scored_at
    from trips as t cross join lateral (
        select model_version, feature_schema, scored_at from predictions as p
        where p.trip_id = t.trip_id and p.pickup_at = t.pickup_at and p.role = 'champion' offset 0
    ) as p
    where t.source_id = $1 and t.partition = $2 and t.record_offset {side} o.missing order by t.record_offset {order} limit 1
) as n
"""
BELOW, ABOVE = NEIGHBOURS.format(side="<", order="desc"), NEIGHBOURS.format(side=">", order="asc")
TRIPS_AT = f"""
select trip_id, record_offset, {INPUTS} from trips
where source_id = $1 and partition = $2 and record_offset = any($3::bigint[]) order by record_offset
"""
UNPREDICTED = """
select record_offset, (extract(epoch from pickup_at) * 1000000)::bigint from trips as t
left join lateral (
    select true as found from predictions as p
    where p.trip_id = t.trip_id and p.pickup_at = t.pickup_at and p.role = 'champion' offset 0
) as predicted on true
where source_id = $1 and partition = $2 and record_offset = any($3::bigint[]) and predicted.found is null
"""
STARTS = "select trip_id, record_offset from trips where source_id = $1 and partition = $2 and trip_id = any($3::text[])"
SKIPPED = "select count(*) from skipped_records where source_id = $1 and partition = $2 and first_offset between $3 and $4"
_NUMBERS = ("pickup_latitude", "pickup_longitude", "dropoff_latitude", "dropoff_longitude")


@dataclass(frozen=True, slots=True)
class Repairs:
    """Implements `stream.repair_ports.RepairStore`."""

    pool: Pool

    async def sources(self) -> Mapping[int, StreamSource]:
        """Every incarnation of a topic that was ever read."""
        async with connected(self.pool) as connection:
            return {row[0]: StreamSource(*row[1:]) for row in map(tuple, await connection.fetch(SOURCES))}

    async def neighbours(self, source_id: int, partition: int, offsets: Sequence[int]) -> dict[int, Neighbour]:
        """Nearest below, else nearest above."""
        async with connected(self.pool) as connection, transaction(connection, readonly=True):
            await connection.execute(BY_KEY)
            below = await connection.fetch(BELOW, source_id, partition, list(offsets))
            found = {row["missing"]: row for row in below}
            without = [offset for offset in offsets if offset not in found]
            above = await connection.fetch(ABOVE, source_id, partition, without) if without else []
        rows = {**found, **{row["missing"]: row for row in above}}
        return {offset: _neighbour(*tuple(row)[1:]) for offset, row in rows.items()}

    async def trips_at(self, source_id: int, partition: int, offsets: Sequence[int]) -> StoredTrips:
        """The stored trips of these records, in their order."""
        async with connected(self.pool) as connection:
            rows = await connection.fetch(TRIPS_AT, source_id, partition, list(offsets))
        trips = TripColumns(
            trip_id=np.array([row["trip_id"] for row in rows], dtype=object),
            vendor_id=np.array([row["vendor_id"] for row in rows], dtype=np.int16),
            passenger_count=np.array([row["passenger_count"] for row in rows], dtype=np.int16),
            pickup_at=np.array([row["pickup_at"] for row in rows], dtype=np.int64).astype(TIME),
            **{name: np.array([row[name] for row in rows], dtype=np.float64) for name in _NUMBERS},
        )
        places = np.array([row["record_offset"] for row in rows], dtype=np.int64)
        return StoredTrips(trips, RecordColumns(np.full(len(rows), partition, dtype=np.int32), places))

    async def restore(self, source_id: int, remade: Remade, refuse: Refuse, event: LifecycleEvent) -> Restored:
        """Insert what is missing, and the event that says so."""
        for remaining in reversed(range(WRITE_ATTEMPTS)):
            await Months(self.pool).ensure(remade.batch.started.pickup_at, remade.batch.completed.pickup_at)
            try:
                async with connected(self.pool) as connection, transaction(connection):
                    restored = await RepairWriter(connection, source_id, remade.batch).repair(remade, refuse)
                    if restored.rows:
                        details = {**event.details, **asdict(restored)}
                        await insert_lifecycle_event(connection, replace(event, details=details))
                    return restored
            except UniqueViolationError:  # a trip came from elsewhere after we had looked; the next look sees it
                if not remaining:
                    raise
        raise AssertionError("unreachable: the last attempt returns or raises")


class RepairWriter(BatchWriter):
    """Decides as a batch's writer does, inserts with the predictions that are given, and moves nothing."""

    __slots__ = ()

    async def repair(self, remade: Remade, refuse: Refuse) -> Restored:
        """Raises UniqueViolationError as `write` does, and Fenced for a partition that was never read."""
        await self._lock()
        skipped_before = await self._skipped()
        verdict = await self._decide()
        letters = list(self.batch.dead_letters)
        if verdict.contradictions:
            letters += await refuse(verdict.contradictions)
        trips = await self._insert_trips(verdict)
        predictions, original = await self._insert_answers(remade, verdict)
        completions = await self._insert_completions(verdict)
        await insert_repeats(self.connection, self.source_id, verdict.repeats)
        await insert_ranges(self.connection, self.source_id, self.batch.skipped)
        refused = await insert_dead_letters(self.connection, self.source_id, letters)
        return Restored(trips, completions, predictions, original, refused, await self._skipped() - skipped_before)

    async def _lock(self) -> None:
        """The lock that a batch takes on its partition's position, whatever the position is."""
        await self.connection.execute(BY_KEY)
        partitions = [span.partition for span in self.batch.spans]
        stored = {row[0]: row[1] for row in await self.connection.fetch(LOCK, self.source_id, partitions)}
        for span in self.batch.spans:
            if span.next_offset > stored.get(span.partition, 0):
                raise Fenced(f"partition {span.partition} was never read up to {span.next_offset}")

    async def _insert_trips(self, verdict: Verdict) -> int:
        batch, inserted = self.batch, verdict.started
        if inserted.any():
            envelopes = batch.envelopes.take(inserted) if batch.envelopes else None
            records = batch.started_records.take(inserted)
            await trip_rows(batch.started.take(inserted), self.source_id, records, envelopes).copy_into(
                self.connection, "trips"
            )
        return int(inserted.sum())

    async def _insert_completions(self, verdict: Verdict) -> int:
        batch, inserted = self.batch, verdict.completed
        if inserted.any():
            completions, records = batch.completed.take(inserted), batch.completed_records.take(inserted)
            early = await self._early(completions.trip_id.tolist(), records)
            await completion_rows(completions, early, self.source_id, records).copy_into(self.connection, "completions")
        return int(inserted.sum())

    async def _early(self, trip_ids: Sequence[str], records: RecordColumns) -> NDArray[np.bool_]:
        """As it was when they came: by the order of the records, not by what is stored meanwhile."""
        [span] = self.batch.spans
        rows = await self.connection.fetch(STARTS, self.source_id, span.partition, list(trip_ids))
        starts = {row[0]: row[1] for row in rows}
        late = [starts.get(trip_id, at + 1) > at for trip_id, at in zip(trip_ids, records.offset.tolist(), strict=True)]
        return np.array(late, dtype=np.bool_)

    async def _insert_answers(self, remade: Remade, verdict: Verdict) -> tuple[int, int]:
        """How many, and how many of these as they were published."""
        wanted = remade.unpredicted.union(self.batch.started.take(verdict.started).trip_id.tolist())
        counts = [(await self._insert_some(answers, wanted), answers.original) for answers in remade.answers]
        return sum(count for count, _ in counts), sum(count for count, original in counts if original)

    async def _insert_some(self, answers: Answers, wanted: frozenset[str]) -> int:
        [span] = self.batch.spans
        offsets = answers.records.offset.tolist()
        pickup_of = dict(map(tuple, await self.connection.fetch(UNPREDICTED, self.source_id, span.partition, offsets)))
        named = zip(answers.predictions.trip_id, offsets, strict=True)
        mine = np.array([trip_id in wanted and offset in pickup_of for trip_id, offset in named], dtype=np.bool_)
        if mine.any():
            records = answers.records.take(mine)
            pickups = np.array([pickup_of[offset] for offset in records.offset.tolist()], dtype=np.int64).astype(TIME)
            made = answers.predictions.take(mine), answers.stamp, answers.scored_at
            rows = prediction_rows(*made, self.source_id, records, pickups=pickups)
            await rows.copy_into(self.connection, "predictions")
        return int(mine.sum())

    async def _skipped(self) -> int:
        [span] = self.batch.spans
        return int(
            await self.connection.fetchval(SKIPPED, self.source_id, span.partition, span.first_offset, span.next_offset - 1)
        )


def _neighbour(offset: int, version: int, schema: str, scored_at: datetime) -> Neighbour:
    return Neighbour(offset, ModelStamp(version, schema), scored_at)
