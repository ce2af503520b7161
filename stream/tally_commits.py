"""Make the signal of a few committed batches: what memory lacks is looked up, the sums are made in a thread."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import thread_time

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.areas import AreaGrid
from domain.entities.streams import Span
from domain.entities.trips import CompletionColumns, RecordColumns
from domain.tallies import NO_VERSION, ScoredTrips
from schemas.events import QualitySignal, SignalSpan
from stream.metrics import Metrics
from stream.pending import PendingStarts
from stream.ports import ScoredHistory
from stream.span_tallies import (
    Committed,
    SpanRows,
    ended_of,
    newest_event_us,
    newest_pickup,
    refused_of,
    started_of,
    tally_of_spans,
)

GROUP_ROWS = 20_000


@dataclass(frozen=True, slots=True, eq=False)
class Group:
    """Batches of one source whose spans are one contiguous stretch in each partition; `spans` are those stretches."""

    source_id: int
    committed: tuple[Committed, ...]
    spans: tuple[Span, ...]


@dataclass(slots=True)
class TallyCommits:
    """One group at a time, in the order of their commits. Raises DatabaseUnreachable."""

    history: ScoredHistory
    grid: AreaGrid
    metrics: Metrics
    worker: str
    pending: PendingStarts = field(default_factory=PendingStarts)
    _newest: dict[tuple[int, int], tuple[int, np.datetime64 | None]] = field(default_factory=dict)
    _versions: tuple[int, int] = (NO_VERSION, NO_VERSION)

    async def __call__(self, group: Group, caught_up: Mapping[int, bool]) -> bytes:
        """The encoded signal. `caught_up`: by partition, of all that have a span in the group."""
        gathered = await asyncio.to_thread(self._gather, group)
        missing = gathered.ended.take(gathered.missing)
        looked_up = ScoredTrips.empty()
        if len(missing):
            looked_up = await self.history.scored(missing.trip_id.tolist(), missing.pickup_at)
        await self._learn_newest(group)
        return await asyncio.to_thread(self._encode, group, gathered, looked_up, caught_up)

    def _gather(self, group: Group) -> "_Gathered":
        with self.metrics.stage("signals", thread_time):
            started, started_records = started_of(group.committed, self.grid)
            self.pending.add(started)
            ended, ended_records = ended_of(group.committed)
            found, known = self.pending.take(ended.trip_id)
            return _Gathered(
                started, started_records, ended, ended_records, found, np.flatnonzero(known), np.flatnonzero(~known)
            )

    async def _learn_newest(self, group: Group) -> None:
        """Ask how far the partitions were that we do not know from the batch before."""
        unknown = {
            span.partition: span.first_offset
            for span in group.spans
            if span.next_offset > span.first_offset
            and self._newest.get((group.source_id, span.partition), (-1, None))[0] != span.first_offset
        }
        if unknown:
            found = await self.history.newest_pickups(group.source_id, unknown)
            for partition, offset in unknown.items():
                self._newest[group.source_id, partition] = (offset, found.get(partition))

    def _encode(self, group: Group, gathered: "_Gathered", looked_up: ScoredTrips, caught_up: Mapping[int, bool]) -> bytes:
        with self.metrics.stage("signals", thread_time):
            rows = gathered.rows(looked_up, refused_of(group.committed))
            before = {span.partition: self._newest.get((group.source_id, span.partition), (0, None))[1] for span in group.spans}
            tally = tally_of_spans(rows, before)
            for span in group.spans:
                newest = newest_pickup(rows, span.partition, before[span.partition])
                self._newest[group.source_id, span.partition] = (span.next_offset, newest)
            champion, shadow = self._scorers(group.committed)
            spans = [_told(span, rows, caught_up[span.partition]) for span in group.spans]
            signal = QualitySignal(group.source_id, spans, tally.as_lists(), champion, shadow, self.worker)
            return msgspec.json.encode(signal)

    def _scorers(self, committed: Iterable[Committed]) -> tuple[int, int]:
        """Who scored last; a batch without rows was scored by nobody."""
        for each in committed:
            if (version := each.batch.stamp.version) != NO_VERSION:
                shadow = each.batch.shadow
                self._versions = version, shadow.stamp.version if shadow else NO_VERSION
        return self._versions


@dataclass(frozen=True, slots=True, eq=False)
class _Gathered:
    """What memory knows of a group. `found` are the starts of the `known` rows of `ended`; those of the `missing` it lacks."""

    started: ScoredTrips
    started_records: RecordColumns
    ended: CompletionColumns
    ended_records: RecordColumns
    found: ScoredTrips
    known: NDArray[np.intp]
    missing: NDArray[np.intp]

    def rows(self, looked_up: ScoredTrips, refused: RecordColumns) -> SpanRows:
        """With what the database knew of the missing ones; a trip without a prediction stays out."""
        settled = ScoredTrips.concatenate([self.found, looked_up]) if len(looked_up) else self.found
        row_of = dict(zip(self.ended.trip_id[self.missing].tolist(), self.missing.tolist(), strict=True))
        found_late = np.array([row_of[trip_id] for trip_id in looked_up.trip_id.tolist()], dtype=np.intp)
        dropoff_at = self.ended.dropoff_at[np.concatenate([self.known, found_late])]
        ended = self.ended, self.ended_records
        return SpanRows(self.started, self.started_records, *ended, settled, dropoff_at, refused)


def grouped(committed: Sequence[Committed]) -> list[Group]:
    """The fewest groups of at most GROUP_ROWS rows (or one batch), in order; a gap between two spans parts groups."""
    groups: list[Group] = []
    for each in committed:
        joined = _joined(groups[-1], each) if groups else None
        if joined is not None:
            groups[-1] = joined
        else:
            groups.append(Group(each.source_id, (each,), each.batch.spans))
    return groups


def _joined(group: Group, more: Committed) -> Group | None:
    """The group with another batch, or None when they do not belong together."""
    spans = {span.partition: span for span in group.spans}
    for span in more.batch.spans:
        known = spans.get(span.partition)
        if known is not None and known.next_offset != span.first_offset:
            return None
        first = span.first_offset if known is None else known.first_offset
        spans[span.partition] = Span(span.partition, first, span.next_offset)
    if group.source_id != more.source_id or sum(map(len, group.committed)) + len(more) > GROUP_ROWS:
        return None
    return Group(group.source_id, (*group.committed, more), tuple(spans[number] for number in sorted(spans)))


def _told(span: Span, rows: SpanRows, caught_up: bool) -> SignalSpan:  # noqa: FBT001
    return SignalSpan(span.partition, span.first_offset, span.next_offset, newest_event_us(rows, span), caught_up)
