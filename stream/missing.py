"""The missing records of a partition as the topic still has them, and the offsets at which it has none."""

from collections.abc import Sequence
from dataclasses import dataclass

from domain.entities.audits import Range
from domain.entities.rejections import SkipReason
from domain.entities.streams import Skipped
from stream.ports import Record
from stream.reader import holes_in
from stream.repair_ports import PastRecords

NEAR = 1000  # records between two ranges that are rather read than jumped over


@dataclass(frozen=True, slots=True)
class Missing:
    """`ranges` that were looked for; `records` found, by offset, in order; `holes` where two looks found none."""

    ranges: tuple[Range, ...]
    records: dict[int, Record]
    holes: tuple[Skipped, ...]


async def gather(events: PastRecords, partition: int, ranges: Sequence[Range]) -> Missing:
    """Read exactly these offsets, which lie within the topic's log. Raises BrokerUnreachable."""
    records = await _read(events, partition, ranges)
    if empty := _holes(partition, ranges, records):
        records |= await _read(events, partition, [(hole.first_offset, hole.last_offset) for hole in empty])
        records = dict(sorted(records.items()))
    return Missing(tuple(ranges), records, tuple(_holes(partition, ranges, records)))


def shortened(ranges: Sequence[Range], most: int) -> list[Range]:
    """The first `most` offsets of these ranges."""
    kept: list[Range] = []
    for first, last in ranges:
        if most <= 0:
            break
        kept.append((first, min(last, first + most - 1)))
        most -= last - first + 1
    return kept


async def _read(events: PastRecords, partition: int, ranges: Sequence[Range]) -> dict[int, Record]:
    wanted = {offset for first, last in ranges for offset in range(first, last + 1)}
    found: dict[int, Record] = {}
    for first, last in _stretches(ranges):
        async for record in events.records(partition, first, last + 1):
            if record.offset in wanted:
                found[record.offset] = record
    return found


def _stretches(ranges: Sequence[Range]) -> list[Range]:
    """Ranges that lie near each other as one."""
    joined: list[Range] = []
    for first, last in ranges:
        if joined and first - joined[-1][1] <= NEAR:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return joined


def _holes(partition: int, ranges: Sequence[Range], records: dict[int, Record]) -> list[Skipped]:
    found = []
    for first, last in ranges:
        inside = [records[offset] for offset in range(first, last + 1) if offset in records]
        found += [
            Skipped(partition, hole.first, hole.after - 1, SkipReason.NO_RECORD) for hole in holes_in(inside, first, last + 1)
        ]
    return found
