"""Tell what was committed on `quality-signals`: beside the hot path, in order, and in a tenth of the worker's time.

A signal that is lost costs nothing but work: its spans are missing then, and whoever listens makes them again from the rows.
So the hot path never waits for anything here, and what piles up is dropped rather than kept.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

import structlog

from domain.entities.streams import BatchReceipt, EventBatch, Span
from domain.errors import BrokerUnreachable, DatabaseUnreachable, InvalidInput
from stream.ledger import Ledger
from stream.metrics import Metrics
from stream.span_tallies import Committed
from stream.tally_commits import GROUP_ROWS, Group, TallyCommits, grouped

log = structlog.get_logger("tripcast.stream")

LONGEST_WAIT_SECONDS = 1.0
REST = 9  # times the work: what is tallied at once costs more than what is tallied together
LONGEST_REST_SECONDS = 1.0
MOST_ROWS = 20 * GROUP_ROWS  # not tallied yet
MOST_BYTES = 16 * 1024 * 1024  # tallied, and not taken by Kafka yet
RETRY_SECONDS = 1.0
UNKNOWN = 1 << 63  # an end that no offset reaches

Send = Callable[[bytes], Awaitable[object]]
KnownEnds = Callable[[Sequence[int]], Mapping[int, int]]


class Signals:
    """`add` and `look` are the hot path's, and cost it nothing; `tally` and `send` are two endless tasks."""

    def __init__(self, tally: TallyCommits, send: Send, known_ends: KnownEnds, ledger: Ledger, metrics: Metrics) -> None:
        self._make, self._deliver, self._known_ends = tally, send, known_ends
        self._ledger, self._metrics = ledger, metrics
        self._waiting: deque[Committed] = deque()
        self._waiting_rows, self._since = 0, 0.0
        self._at_once = self._tallying = False
        self._work, self._changed = asyncio.Event(), asyncio.Event()
        self._outbox: deque[bytes] = deque()
        self._to_send = asyncio.Event()
        self._all_sent = asyncio.Event()
        self._all_sent.set()
        self._rested_at = 0.0
        self._told: dict[int, bool] = {}  # by partition: whether we have said last that it is caught up

    def add(self, source_id: int, batch: EventBatch, receipt: BatchReceipt, refused: tuple[tuple[int, int], ...]) -> None:
        """A batch is committed. Spans of one partition come in offset order."""
        if not self._waiting:
            self._since = time.monotonic()
        committed = Committed(source_id, replace(batch, dead_letters=()), receipt, refused)
        self._waiting.append(committed)
        self._waiting_rows += len(committed)
        while self._waiting_rows > MOST_ROWS and len(self._waiting) > 1:
            self._waiting_rows -= len(self._waiting.popleft())
            self._dropped("backlog")
        self._wake()

    def look(self) -> None:
        """Nothing is to be read just now: say so of every partition of which we have said otherwise."""
        if not self._waiting and self._untold():
            self._wake()

    def begin_anew(self) -> None:
        """Partitions are taken over: whatever was said of them, another worker may have said otherwise since."""
        self._told.clear()

    async def flush(self, seconds: float) -> None:
        """Tally and send what there is, now. Returns when it is sent, or after `seconds`."""
        if self._waiting:
            self._at_once = True
            self._changed.set()
        await _wait(self._all_sent, seconds)

    async def tally(self) -> None:
        """First task: make signals of what is committed."""
        while True:
            await self._work.wait()
            while (seconds := self._seconds_until_due()) > 0:
                self._changed.clear()
                await _wait(self._changed, seconds)
            self._work.clear()
            self._at_once, self._tallying = False, True
            await self._tally_waiting()
            self._tallying = False
            self._settle()

    async def send(self) -> None:
        """Second task: one signal after the other. What Kafka does not take is offered again, until it is dropped."""
        while True:
            await self._to_send.wait()
            first = self._outbox[0]
            try:
                await self._deliver(first)
            except BrokerUnreachable as error:
                log.warning("signals_wait", error=str(error), waiting=len(self._outbox))
                await asyncio.sleep(RETRY_SECONDS)
                continue
            except InvalidInput as error:
                log.warning("signal_dropped", why=str(error), bytes=len(first))
                self._dropped("size")
            else:
                self._metrics.signal_sent()
            if self._outbox and self._outbox[0] is first:
                self._outbox.popleft()
            self._settle()

    def _wake(self) -> None:
        self._all_sent.clear()
        self._work.set()
        self._changed.set()

    def _settle(self) -> None:
        if not self._outbox:
            self._to_send.clear()
            if not self._work.is_set() and not self._tallying:
                self._all_sent.set()

    def _seconds_until_due(self) -> float:
        """Full: now. Caught up: as soon as we have rested. Otherwise: when the oldest has waited long enough."""
        now = time.monotonic()
        if self._at_once or self._waiting_rows >= GROUP_ROWS:
            return 0.0
        due = self._since + LONGEST_WAIT_SECONDS if self._waiting and not self._caught_up() else now
        return max(due, self._rested_at) - now

    async def _tally_waiting(self) -> None:
        began = time.monotonic()
        committed = tuple(self._waiting)
        self._waiting.clear()
        self._waiting_rows = 0
        groups = grouped(committed)
        idle = self._untold(but={span.partition for group in groups for span in group.spans})
        if idle:
            groups.append(Group(self._ledger.source_id, (), idle))
        for group in groups:
            await self._tally_group(group)
        now = time.monotonic()
        self._rested_at = now + min(REST * (now - began), LONGEST_REST_SECONDS)

    async def _tally_group(self, group: Group) -> None:
        ends = self._ends()
        caught_up = {span.partition: span.next_offset >= ends.get(span.partition, UNKNOWN) for span in group.spans}
        self._told |= caught_up
        try:
            signal = await self._make(group, caught_up)
        except DatabaseUnreachable as error:
            log.warning("signal_dropped", why=str(error), partitions=list(caught_up))
            self._dropped("database")
        except Exception:
            log.exception("signal_dropped", source_id=group.source_id, spans=[repr(span) for span in group.spans])
            self._dropped("error")
        else:
            self._outbox.append(signal)
            while sum(map(len, self._outbox)) > MOST_BYTES and len(self._outbox) > 1:
                del self._outbox[1]  # the first may be on its way just now
                self._dropped("broker")
            self._to_send.set()

    def _dropped(self, why: str) -> None:
        self._metrics.signal_dropped(why)
        self._told.clear()

    def _ends(self) -> Mapping[int, int]:
        return self._known_ends(list(self._ledger.committed))

    def _caught_up(self) -> bool:
        ends = self._ends()
        return all(offset >= ends.get(number, UNKNOWN) for number, offset in self._ledger.committed.items())

    def _untold(self, but: set[int] | frozenset[int] = frozenset()) -> tuple[Span, ...]:
        """Empty spans of our partitions that are caught up, which we have not said."""
        ends = self._ends()
        return tuple(
            Span(number, offset, offset)
            for number, offset in sorted(self._ledger.committed.items())
            if number not in but and not self._told.get(number, False) and offset >= ends.get(number, UNKNOWN)
        )


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
