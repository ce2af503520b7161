"""Turn committed batches into the tally of the spans that they filled: who began, who ended, and who was refused where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.areas import AreaGrid
from domain.entities.canaries import named_so
from domain.entities.streams import BatchReceipt, EventBatch, Span
from domain.entities.trips import TIME, CompletionColumns, RecordColumns, Times
from domain.sums import Integers, Tally
from domain.tallies import ScoredTrips, late_of, scored_trips, tally_placed

Newest = Mapping[int, np.datetime64 | None]  # by partition: the latest pickup seen in it


@dataclass(frozen=True, slots=True, eq=False)
class Committed:
    """A batch whose transaction is done. `refused`: partition and offset of each event that became a dead letter."""

    source_id: int
    batch: EventBatch
    receipt: BatchReceipt
    refused: tuple[tuple[int, int], ...] = ()

    def __len__(self) -> int:
        """How many rows there are to tally."""
        return len(self.batch.started) + len(self.batch.completed)


@dataclass(frozen=True, slots=True, eq=False)
class SpanRows:
    """What became rows in a stretch of the stream, and what was refused in it.

    `started` and `ended` are in offset order within each partition; `settled` are the starts of those that ended and have a
    prediction, with `dropoff_at` row by row. A completion that came before its start is in neither.
    """

    started: ScoredTrips
    started_records: RecordColumns
    ended: CompletionColumns
    ended_records: RecordColumns
    settled: ScoredTrips
    dropoff_at: Times
    refused: RecordColumns


def started_of(committed: Sequence[Committed], grid: AreaGrid) -> tuple[ScoredTrips, RecordColumns]:
    """The trips that were stored, as they were scored, and their records; canaries are no trips of the city."""
    trips, records = [], []
    for each in committed:
        batch, stored = each.batch, each.receipt.stored
        if (canaries := named_so(batch.started.trip_id)) is not None:
            stored = stored & ~canaries
        if stored.any():
            shadow = batch.shadow
            shadowed = (shadow.stamp.version, shadow.predictions.take(stored)) if shadow is not None else None
            taken = batch.started.take(stored), batch.predictions.take(stored), batch.stamp.version
            trips.append(scored_trips(*taken, grid, shadowed))
            records.append(batch.started_records.take(stored))
    return (
        (ScoredTrips.concatenate(trips), RecordColumns.concatenate(records)) if trips else (ScoredTrips.empty(), no_records())
    )


def ended_of(committed: Sequence[Committed]) -> tuple[CompletionColumns, RecordColumns]:
    """The completions that were stored and ended a trip that had begun, and their records."""
    if not committed:
        times = np.empty(0, dtype=TIME)
        return CompletionColumns(np.empty(0, dtype=object), times, times), no_records()
    ended = [each.batch.completed.take(each.receipt.ended) for each in committed]
    records = [each.batch.completed_records.take(each.receipt.ended) for each in committed]
    return CompletionColumns.concatenate(ended), RecordColumns.concatenate(records)


def refused_of(committed: Sequence[Committed]) -> RecordColumns:
    """Where the refused events were, in offset order within each partition."""
    places = sorted(place for each in committed for place in each.refused)
    partitions = np.array([partition for partition, _ in places], dtype=np.int32)
    return RecordColumns(partitions, np.array([offset for _, offset in places], dtype=np.int64))


def tally_of_spans(rows: SpanRows, newest: Newest) -> Tally:
    """The sums. `newest` is what was seen in each partition before these rows."""
    late = np.zeros(len(rows.started), dtype=np.int64)
    refused_at = [np.empty(0, dtype=TIME)]
    for partition in np.unique(np.concatenate([rows.started_records.partition, rows.refused.partition])).tolist():
        mine = rows.started_records.partition == partition
        pickup_at, before = rows.started.pickup_at[mine], newest.get(partition)
        late[mine] = late_of(pickup_at, before)
        refused = rows.refused.offset[rows.refused.partition == partition]
        refused_at.append(_placed(refused, pickup_at, rows.started_records.offset[mine], before))
    return tally_placed(rows.started, rows.settled, rows.dropoff_at, late, np.concatenate(refused_at))


def newest_pickup(rows: SpanRows, partition: int, before: np.datetime64 | None) -> np.datetime64 | None:
    """The latest pickup of a partition, these rows included."""
    return _latest(rows.started.pickup_at[rows.started_records.partition == partition], before)


def newest_event_us(rows: SpanRows, span: Span) -> int | None:
    """The latest pickup or dropoff in a span, in microseconds since 1970, UTC."""
    begun = rows.started.pickup_at[_inside(rows.started_records, span)]
    latest = _latest(rows.ended.dropoff_at[_inside(rows.ended_records, span)], _latest(begun, None))
    return None if latest is None else int(latest.astype(np.int64))


def _placed(refused: Integers, pickup_at: Times, offsets: Integers, before: np.datetime64 | None) -> Times:
    """The newest pickup before each refused event; an event before which nothing was seen has no place and is left out."""
    first = np.array([before if before is not None else "NaT"], dtype=TIME)
    latest = np.fmax.accumulate(np.concatenate([first, pickup_at]))
    places = latest[np.searchsorted(offsets, refused)]
    return places[~np.isnat(places)]


def _inside(records: RecordColumns, span: Span) -> NDArray[np.bool_]:
    return np.asarray(
        (records.partition == span.partition) & (records.offset >= span.first_offset) & (records.offset < span.next_offset)
    )


def _latest(times: Times, before: np.datetime64 | None) -> np.datetime64 | None:
    if not len(times):
        return before
    latest: np.datetime64 = times.max()
    return latest if before is None else max(before, latest)


def no_records() -> RecordColumns:
    """No place at all."""
    return RecordColumns(np.empty(0, dtype=np.int32), np.empty(0, dtype=np.int64))
