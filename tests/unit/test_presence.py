"""Marks of workers that come and go: told in order, once, and never at the cost of whoever notes them."""

import asyncio
from dataclasses import dataclass, field

import pytest

from domain.entities.models import LifecycleEvent
from domain.errors import DatabaseUnreachable
from stream import presence
from stream.presence import MOST_WAITING, Presence


@dataclass
class Table:
    """Takes events; `away`: so many of the next find no database."""

    events: list[LifecycleEvent] = field(default_factory=list)
    away: int = 0

    async def record(self, event: LifecycleEvent) -> None:
        await asyncio.sleep(0)
        if self.away:
            self.away -= 1
            raise DatabaseUnreachable("away")
        self.events.append(event)

    @property
    def told(self) -> list[tuple[str, str]]:
        return [(event.kind, event.reason) for event in self.events]


async def test_what_happens_is_told_in_order_and_the_same_partitions_only_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "RETRY_SECONDS", 0.0)
    table = Table(away=2)
    marks = Presence(table.record, "worker-1")
    marks.started()
    for partitions in ({0, 1}, {0, 1}, {1, 2}, set()):
        marks.reads(frozenset(partitions))
    marks.stopped()
    telling = asyncio.create_task(marks.tell())
    await marks.flush(30)
    telling.cancel()
    assert table.told == [
        ("worker.started", "the worker starts"),
        ("worker.rebalanced", "the worker reads 0, 1"),
        ("worker.rebalanced", "the worker reads 2 and gives up 0"),
        ("worker.rebalanced", "the worker gives up 1, 2"),
        ("worker.stopped", "the worker stops"),
    ]
    assert {(event.actor, event.subject) for event in table.events} == {("worker-1", "worker-1")}
    assert table.events[2].details == {"partitions": [1, 2], "given": [2], "taken": [0]}


async def test_a_mark_that_cannot_be_made_is_dropped_and_the_next_one_is_made() -> None:
    table = Table()

    async def picky(event: LifecycleEvent) -> None:
        if event.kind == "worker.started":
            raise PermissionError("this login may not")
        await table.record(event)

    marks = Presence(picky, "worker-1")
    telling = asyncio.create_task(marks.tell())
    marks.started()
    marks.stopped()
    await marks.flush(30)
    telling.cancel()
    assert [kind for kind, _ in table.told] == ["worker.stopped"]


async def test_without_a_database_nobody_waits_and_the_newest_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "RETRY_SECONDS", 0.0)
    table = Table(away=10**9)
    marks = Presence(table.record, "worker-1")
    telling = asyncio.create_task(marks.tell())
    for number in range(3 * MOST_WAITING):
        marks.reads(frozenset({number}))
    await marks.flush(0.01)
    table.away = 0
    await marks.flush(30)
    telling.cancel()
    assert [event.details["partitions"] for event in table.events] == [
        [number] for number in range(2 * MOST_WAITING, 3 * MOST_WAITING)
    ]
