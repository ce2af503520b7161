"""Leave a mark where a worker starts, stops, or gets other partitions: beside the hot path, which never waits for it."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import structlog

from domain.entities.models import LifecycleEvent
from domain.errors import Unreachable

log = structlog.get_logger("tripcast.stream")

STARTED, STOPPED, REBALANCED = "worker.started", "worker.stopped", "worker.rebalanced"
MOST_WAITING = 20  # while the database is away; older ones give way
RETRY_SECONDS = 2.0

Record = Callable[[LifecycleEvent], Awaitable[None]]


class Presence:
    """`note` and its kind cost nothing and never wait; `tell` is an endless task. What a kill interrupts stays untold."""

    def __init__(self, record: Record, worker: str) -> None:
        self._record, self._worker = record, worker
        self._waiting: deque[LifecycleEvent] = deque(maxlen=MOST_WAITING)
        self._something = asyncio.Event()
        self._nothing = asyncio.Event()
        self._nothing.set()
        self._partitions: frozenset[int] = frozenset()

    def started(self) -> None:
        """The worker begins."""
        self._note(STARTED, "the worker starts")

    def stopped(self) -> None:
        """The worker ends in order."""
        self._note(STOPPED, "the worker stops", partitions=sorted(self._partitions))

    def reads(self, partitions: frozenset[int]) -> None:
        """These are the worker's partitions now."""
        if partitions == self._partitions:
            return
        before, self._partitions = self._partitions, partitions
        given, taken = sorted(partitions - before), sorted(before - partitions)
        words = [f"{what} {', '.join(map(str, some))}" for what, some in (("reads", given), ("gives up", taken)) if some]
        self._note(REBALANCED, f"the worker {' and '.join(words)}", partitions=sorted(partitions), given=given, taken=taken)

    async def flush(self, seconds: float) -> None:
        """Return when all is told, or after `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                await self._nothing.wait()
        except TimeoutError:
            log.info("presence_untold", kinds=[event.kind for event in self._waiting])

    async def tell(self) -> None:
        """The task: one event after the other, in order, again until the database takes it."""
        while True:
            await self._something.wait()
            event = self._waiting[0]
            try:
                await self._record(event)
            except Unreachable as error:
                log.info("presence_waits", why=str(error))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            except Exception:  # predictions must not suffer from a mark that cannot be made
                log.exception("presence_dropped", kind=event.kind)
            if self._waiting and self._waiting[0] is event:
                self._waiting.popleft()
            if not self._waiting:
                self._something.clear()
                self._nothing.set()

    def _note(self, kind: str, reason: str, **details: object) -> None:
        self._waiting.append(LifecycleEvent(kind, self._worker, self._worker, reason, datetime.now(UTC), details))
        self._something.set()
        self._nothing.clear()
