"""Exactly the missing records are read again, and a hole counts once two looks see it."""

from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from typing import Any

from domain.entities.rejections import SkipReason
from stream.missing import gather, shortened
from stream.ports import Record


@dataclass
class Kept:
    offset: int
    timestamp: int = 0
    key: bytes | None = b"k"
    value: bytes | None = b"v"
    headers: tuple[tuple[str, bytes | None], ...] = ()


@dataclass
class Log:
    """What `stream.repair_ports.PastRecords` is to `gather`: `late` records show at the second look alone."""

    offsets: set[int]
    late: set[int] = field(default_factory=set)
    asked: list[tuple[int, int]] = field(default_factory=list)

    async def records(self, _partition: int, first: int, until: int) -> AsyncGenerator[Record]:
        again = any(first >= begun for begun, _ in self.asked)
        self.asked.append((first, until))
        for offset in range(first, until):
            if offset in self.offsets or (again and offset in self.late):
                yield Kept(offset)


async def test_only_the_missing_are_kept_of_what_is_read() -> None:
    log: Any = Log(set(range(5000)))
    found = await gather(log, 3, [(10, 11), (20, 20), (4000, 4000)])
    assert list(found.records) == [10, 11, 20, 4000]
    assert found.holes == ()
    assert log.asked == [(10, 21), (4000, 4001)]  # what lies near is read over


async def test_where_two_looks_find_nothing_there_is_no_record() -> None:
    log: Any = Log({10, 13}, late={12})
    found = await gather(log, 3, [(10, 13)])
    assert list(found.records) == [10, 12, 13]
    [hole] = found.holes
    assert (hole.partition, hole.first_offset, hole.last_offset, hole.reason) == (3, 11, 11, SkipReason.NO_RECORD)


def test_a_long_repair_is_cut_at_an_offset() -> None:
    assert shortened([(0, 9), (20, 29)], 15) == [(0, 9), (20, 24)]
    assert shortened([(0, 9)], 15) == [(0, 9)]
