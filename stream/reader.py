"""Fetch the next records and prove that none is missing before them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from domain.entities.rejections import SkipReason
from domain.entities.streams import Skipped, Span
from domain.errors import OffsetGap
from stream.ports import EventSource, Record
from stream.score_events import Fetched

log = structlog.get_logger("tripcast.stream")

FIRST_BATCH_RECORDS = 256


class PositionLost(Exception):
    """A position is not in the partition's log any more, or not ours: all of them must be read again."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Offsets [first, after) without a record."""

    first: int
    after: int


@dataclass(slots=True)
class Sighting:
    """Holes seen below `until` at the first look; they count once a second look sees them too."""

    holes: frozenset[int]
    until: int


@dataclass(slots=True)
class Reader:
    """Reads the partitions it was given positions for. Batches start small and double, up to `largest_batch`.

    A hole between records is normal where a producer uses transactions or a topic is compacted; it is also what a lost record
    looks like. So the partition is fetched once more from the hole's start: what stays away twice, with the log starting below
    it, is recorded as `no_record`; what retention took is found by reading the positions again; a hole that only the second
    look sees is an OffsetGap, and the worker stops.
    """

    events: EventSource
    largest_batch: int
    next_offsets: dict[int, int] = field(default_factory=dict)
    _limit: int = FIRST_BATCH_RECORDS
    _sightings: dict[int, Sighting] = field(default_factory=dict)

    @property
    def growing(self) -> bool:
        """Whether the next batch is smaller than it may be."""
        return self._limit < self.largest_batch

    def start(self, positions: Mapping[int, int]) -> None:
        """Forget everything and read from these positions. Raises PositionLost when a partition is not ours any more."""
        self.next_offsets = dict(positions)
        self._limit = FIRST_BATCH_RECORDS
        self._sightings.clear()
        for partition, offset in positions.items():
            self._seek(partition, offset)

    async def read(self, wait_seconds: float) -> Fetched:
        """The next batch, perhaps empty. Raises PositionLost, OffsetGap, BrokerUnreachable."""
        partitions = list(self.next_offsets)
        try:
            records = await self.events.fetch(partitions, self._limit, wait_seconds)
        except IndexError as error:
            raise PositionLost(str(error)) from error
        positions = await self.events.positions(partitions)
        self._limit = min(2 * self._limit, self.largest_batch)
        accepted = [await self._accept(partition, records.get(partition, ()), positions) for partition in partitions]
        return Fetched(
            {span.partition: records[span.partition] for span, _ in filter(None, accepted) if records.get(span.partition)},
            tuple(span for span, _ in filter(None, accepted)),
            tuple(skip for _, skipped in filter(None, accepted) for skip in skipped),
        )

    async def _accept(
        self, partition: int, records: Sequence[Record], positions: Mapping[int, int]
    ) -> tuple[Span, list[Skipped]] | None:
        """The span that these records fill, or None when there is nothing (yet)."""
        first = self.next_offsets[partition]
        after = max(positions.get(partition, first), records[-1].offset + 1 if records else first)
        if after == first:
            return None
        holes = holes_in(records, first, after)
        if holes and not await self._confirmed(partition, first, after, holes):
            self._seek(partition, first)
            return None
        self._sightings.pop(partition, None)
        self.next_offsets[partition] = after
        skipped = [Skipped(partition, hole.first, hole.after - 1, SkipReason.NO_RECORD) for hole in holes]
        return Span(partition, first, after), skipped

    async def _confirmed(self, partition: int, first: int, after: int, holes: list[Hole]) -> bool:
        sighting = self._sightings.get(partition)
        if sighting is None:
            self._sightings[partition] = Sighting(frozenset(hole.first for hole in holes), after)
            log.info("hole_seen", partition=partition, first_offset=holes[0].first, next_offset=holes[0].after)
            return False
        log_start = (await self.events.log_start_offsets([partition]))[partition]
        if log_start > holes[0].first:
            raise PositionLost(f"partition {partition} starts at {log_start} now")
        for hole in holes:
            if hole.first < sighting.until and hole.first not in sighting.holes:
                raise OffsetGap(
                    f"partition {partition}: offsets {hole.first} to {hole.after - 1} were there at one fetch and not at the "
                    f"next, from {first}; the stored offset stands still. Check the broker's log, then start the worker again"
                )
        return True

    def _seek(self, partition: int, offset: int) -> None:
        try:
            self.events.seek(partition, offset)
        except KeyError as error:
            raise PositionLost(f"partition {partition} was taken away") from error


def holes_in(records: Sequence[Record], first: int, after: int) -> list[Hole]:
    """The offsets of [first, after) that no record has, as ranges in order."""
    if len(records) == after - first:
        return []
    holes, expected = [], first
    for offset in _offsets_then(records, after):
        if offset > expected:
            holes.append(Hole(expected, offset))
        expected = offset + 1
    return holes


def _offsets_then(records: Sequence[Record], after: int) -> Iterable[int]:
    yield from (record.offset for record in records)
    yield after
