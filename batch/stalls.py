"""Notice from outside when events wait and nobody reads them: whoever stands still cannot say so."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Protocol

import structlog

from domain.entities.models import LifecycleEvent
from domain.errors import ConcurrentUpdate, Unreachable
from domain.ports import Clock

log = structlog.get_logger("tripcast.notifier")

STALLED, RESUMED = "worker.stalled", "worker.resumed"
SUBJECT, ACTOR = "trip-events", "trainer"
PATIENCE_SECONDS = 30.0


class Journal(Protocol):
    """The record of what happened. Raises DatabaseUnreachable."""

    async def record(self, event: LifecycleEvent) -> None:
        """Append an event."""
        ...

    async def newest(self, kinds: Sequence[str], subject: str | None = None) -> LifecycleEvent | None:
        """The event of these kinds that was recorded last."""
        ...


@dataclass(slots=True)
class WatchProgress:
    """`offsets` gives what is stored and where the topic ends, by partition; `seconds` is a clock that never goes back.

    `alone` keeps other watchers out, or raises ConcurrentUpdate.
    """

    offsets: Callable[[], Awaitable[tuple[dict[int, int], dict[int, int]]]]
    journal: Journal
    alone: Callable[[], AbstractAsyncContextManager[None]]
    clock: Clock
    seconds: Callable[[], float]
    poll_seconds: float
    _moved: dict[int, tuple[int, float]] = field(default_factory=dict)
    _seen_moving: set[int] = field(default_factory=set)

    async def __call__(self) -> None:
        """Run until cancelled. An outage of Kafka or PostgreSQL says nothing about workers."""
        while True:
            try:
                async with self.alone():
                    await self.look()
            except ConcurrentUpdate:
                pass
            except Unreachable as error:
                self._moved.clear()
                log.warning("progress_unknown", error=str(error))
            await asyncio.sleep(self.poll_seconds)

    async def look(self) -> None:
        """Compare with the last look, and record when that has become, or is no longer, a standstill."""
        stored, ends = await self.offsets()
        standing = self._standing(stored, ends)
        last = await self.journal.newest([STALLED, RESUMED])
        known = last is not None and last.kind == STALLED
        if standing and not known:
            waiting = sum(ends[number] - stored[number] for number in standing)
            words = f"{waiting:,} events wait in partitions {', '.join(map(str, standing))}, and nobody reads them"
            await self._record(STALLED, words, {"partitions": standing, "waiting": waiting})
        elif known and not standing and self._read_again(stored, ends):
            await self._record(RESUMED, "every partition is being read again", {})

    def _standing(self, stored: dict[int, int], ends: dict[int, int]) -> list[int]:
        """Partitions with events to read that have not moved for PATIENCE_SECONDS."""
        now, standing = self.seconds(), []
        for number, offset in sorted(stored.items()):
            before, since = self._moved.get(number, (offset, now))
            if offset != before:
                self._seen_moving.add(number)
            if offset != before or ends.get(number, offset) <= offset:
                since = now
            self._moved[number] = (offset, since)
            if now - since >= PATIENCE_SECONDS:
                self._seen_moving.discard(number)
                standing.append(number)
        return standing

    def _read_again(self, stored: dict[int, int], ends: dict[int, int]) -> bool:
        """Whether what waits has moved since an earlier look of ours: that we were started anew proves nothing."""
        return all(ends.get(number, offset) <= offset or number in self._seen_moving for number, offset in stored.items())

    async def _record(self, kind: str, reason: str, details: dict[str, object]) -> None:
        log.warning(kind.replace(".", "_"), reason=reason)
        await self.journal.record(LifecycleEvent(kind, SUBJECT, ACTOR, reason, self.clock.now(), details))
