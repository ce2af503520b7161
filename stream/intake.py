"""Take in what workers report, and count from the rows whatever no report tells of."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import fields

import msgspec
import structlog

from domain.entities.streams import Span
from domain.errors import BrokerUnreachable, Fenced
from domain.loop.tracker import ReportedSpan
from domain.sums import Tally
from schemas.events import QualitySignal
from stream.inbox import Inbox
from stream.monitor import Monitor, Stretch
from stream.monitor_metrics import MonitorMetrics
from stream.monitor_ports import EventTopic, LoopStore, StretchRows
from stream.span_tallies import SpanRows, newest_event_us, tally_of_spans

log = structlog.get_logger("tripcast.stream")

MOST_BYTES = 256 * 1024  # of signals in one round
RECOUNT_OFFSETS = 5_000  # in one piece
ROUND_SECONDS = 0.5  # then a round ends, whatever is left to recount
CHECK_SECONDS = 2.0

_decode = msgspec.json.Decoder(QualitySignal).decode


class Intake:
    """One call takes in what there is, for about ROUND_SECONDS at most."""

    def __init__(self, store: LoopStore, topic: EventTopic, inbox: Inbox, metrics: MonitorMetrics) -> None:
        self._store, self._topic, self._inbox, self._metrics = store, topic, inbox, metrics
        self.begin()

    def begin(self) -> None:
        """A new Monitor: whatever is stored and not taken in has no signal any more."""
        self._checked_at = float("-inf")
        self._missed: list[Stretch] | None = None  # at the last check; None: before the first

    async def __call__(self, monitor: Monitor, source_id: int) -> bool:
        """Whether there may be more to take in at once. Raises DatabaseUnreachable; Fenced when the topic is another now."""
        until = time.monotonic() + ROUND_SECONDS
        messages = self._inbox.take(MOST_BYTES)
        signals = await asyncio.to_thread(_decoded, messages)
        for number, signal in enumerate(signals):
            if signal is not None and not await self._take(monitor, source_id, signal, until):
                self._inbox.put_back(messages[number:])
                return True
        if time.monotonic() - self._checked_at >= CHECK_SECONDS:
            return await self._check(monitor, source_id, until, idle=not messages) or bool(messages)
        return bool(messages)

    async def _take(self, monitor: Monitor, source_id: int, signal: QualitySignal, until: float) -> bool:
        """Whether the signal is dealt with."""
        if signal.source_id != source_id:
            if signal.source_id > source_id:
                raise Fenced(f"the topic was created anew: source {signal.source_id} instead of {source_id}")
            return True
        spans = [_reported(span) for span in signal.spans]
        await self._meet(monitor, source_id, [span.partition for span in spans])
        stretches = monitor.unreported(spans)
        if stretches == []:
            monitor.add(spans, await asyncio.to_thread(Tally.from_lists, signal.tally))
            return True
        caught_up = {span.partition for span in spans if span.caught_up}
        return await self._recount(monitor, source_id, stretches or [], until, caught_up)

    async def _check(self, monitor: Monitor, source_id: int, until: float, *, idle: bool) -> bool:
        """Whether rows are left that no signal tells of. Signals get a while to come before their rows are counted."""
        self._checked_at = time.monotonic()
        committed = await self._store.committed(source_id)
        await self._meet(monitor, source_id, list(committed))
        missed = monitor.behind(committed)
        self._metrics.behind(committed, {number: monitor.offset(number) for number in committed})
        before, self._missed = self._missed, missed
        due = missed if before is None else [each for each in missed if idle and _still(each, before)]
        done = await self._recount(monitor, source_id, due, until, set())
        if done:
            await self._look_for_ends(monitor)
        else:
            self._missed, self._checked_at = None, float("-inf")  # go on at once
        return not done

    async def _recount(
        self, monitor: Monitor, source_id: int, stretches: Sequence[Stretch], until: float, caught_up: set[int]
    ) -> bool:
        """Whether all of it is counted; what is counted is taken in either way. `caught_up`: had no more at their ends.

        Piece by piece, of the partition that is least far: steps close meanwhile, and little stays open.
        """
        ends = {stretch.partition: stretch.next_offset for stretch in stretches}
        while left := {number: end for number, end in ends.items() if monitor.offset(number) < end}:
            if time.monotonic() > until:
                return False
            number = min(left, key=monitor.minute)
            await self._recount_piece(monitor, source_id, number, left[number], caught_up)
        if ends:
            log.info("recounted", next_offsets=ends)
        return True

    async def _recount_piece(self, monitor: Monitor, source_id: int, number: int, end: int, caught_up: set[int]) -> None:
        first = monitor.offset(number)
        last = min(first + RECOUNT_OFFSETS, end)
        rows = await self._store.stretch(source_id, number, (first, last))
        tally, newest_us = await asyncio.to_thread(_counted, rows, Span(number, first, last))
        at_end = last == end and number in caught_up
        monitor.add([ReportedSpan(number, first, last, newest_us, at_end)], tally)
        self._metrics.recounted.inc(last - first)

    async def _meet(self, monitor: Monitor, source_id: int, partitions: Sequence[int]) -> None:
        if not monitor.knows(partitions):
            monitor.meet((await self._store.standing(source_id)).reaches)

    async def _look_for_ends(self, monitor: Monitor) -> None:
        """Partitions that are read to their ends and have nobody who would say so."""
        if monitor.tracker.caught_up:
            return
        try:
            ends = await self._topic.ends()
        except BrokerUnreachable as error:
            log.debug("ends_unknown", why=str(error))
            return
        for partition, end in ends.items():
            if monitor.knows([partition]) and monitor.offset(partition) >= end:
                monitor.at_end(partition)


def _decoded(messages: Sequence[bytes]) -> list[QualitySignal | None]:
    return [_signal(message) for message in messages]


def _signal(message: bytes) -> QualitySignal | None:
    """None for what is no signal: its rows will be counted."""
    try:
        return _decode(message)
    except (ValueError, TypeError, RecursionError):  # msgspec's errors are ValueErrors
        log.warning("signal_unreadable", bytes=len(message or b""))
        return None


def _counted(found: StretchRows, span: Span) -> tuple[Tally, int | None]:
    """What a worker would have said of these rows."""
    rows = SpanRows(*(getattr(found, field.name) for field in fields(SpanRows)))
    return tally_of_spans(rows, {span.partition: found.newest_before}), newest_event_us(rows, span)


def _reported(span: object) -> ReportedSpan:
    return ReportedSpan(*(getattr(span, name) for name in ReportedSpan.__slots__))


def _still(stretch: Stretch, before: Sequence[Stretch]) -> bool:
    """Whether the stretch began where one began at the check before: no signal came in between."""
    return any((each.partition, each.first_offset) == (stretch.partition, stretch.first_offset) for each in before)
