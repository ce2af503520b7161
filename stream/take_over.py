"""Take over partitions: read where they stand in PostgreSQL, name what is lost, publish what is owed, step after a death."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

import structlog

from domain.entities.models import LifecycleEvent
from domain.entities.rejections import Reason, SkipReason
from domain.entities.streams import Position, Skipped, Span, StreamSource
from domain.errors import OffsetGap
from domain.ports import StreamStore
from stream.decode import dead_letter
from stream.encode import encode
from stream.marks import Marks
from stream.ports import EventSource, Output
from stream.reader import FIRST_BATCH_RECORDS, Reader
from stream.score_events import Fetched, Prepared, ScoreEvents, singly

log = structlog.get_logger("tripcast.stream")

REPUBLISH_ROWS = 5000
STEP_WAIT_SECONDS = 1.0
ACTOR = "worker"


@dataclass(frozen=True, slots=True)
class Taken:
    """What is ours now: the source's id and the offsets that come next."""

    source_id: int
    next_offsets: Mapping[int, int]


@dataclass(frozen=True, slots=True)
class TakeOver:
    """One take-over. Raises Unreachable errors (try all of it again), Fenced (somebody else was quicker), PositionLost.

    `commit(source_id, prepared)` writes a batch; `handle_alone(source_id, fetched)` decodes, scores, writes and publishes one
    record. Both return when it is committed.
    """

    events: EventSource
    store: StreamStore
    output: Output
    score: ScoreEvents
    marks: Marks
    commit: Callable[[int, Prepared], Awaitable[object]]
    handle_alone: Callable[[int, Fetched], Awaitable[None]]
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))

    async def __call__(self) -> Taken:
        """Do all of it for the partitions that are assigned now."""
        source = await self.events.source()
        source_id = await self.store.register(source)
        partitions = sorted(self.events.assigned)
        if not partitions:
            return Taken(source_id, {})
        stored = await self.store.positions(source_id, partitions)
        starts = await self.events.log_start_offsets(partitions)
        ends = await self.events.end_offsets(partitions)
        if missing := [number for number in partitions if number not in stored]:
            await self._tell_recreated(source, missing)
        next_offsets = {}
        for number in partitions:
            position = stored.get(number) or await self.store.open_partition(source_id, number, starts[number])
            _check_end(position, ends[number])
            if position.next_offset < starts[number]:
                position = await self._name_loss(source, source_id, position, starts[number])
            await self._publish_owed(source_id, position)
            next_offsets[number] = await self._step(source_id, position)
        return Taken(source_id, next_offsets)

    async def _tell_recreated(self, source: StreamSource, missing: list[int]) -> None:
        """A topic of this name was read before under another id: name how far, since what was unread in it is gone."""
        previous = await self.store.previous_source(source)
        if previous is None:
            return
        old = await self.store.positions(await self.store.register(previous), missing)
        if not old:
            return
        details: dict[str, object] = {
            "previous_topic_uuid": str(previous.topic_uuid),
            "topic_uuid": str(source.topic_uuid),
            "previous_next_offsets": {str(number): position.next_offset for number, position in old.items()},
        }
        log.warning("topic_recreated", topic=source.topic, **details)
        await self._record("topic_recreated", source.topic, "the topic has another id; its offsets start anew", details)

    async def _name_loss(self, source: StreamSource, source_id: int, position: Position, log_start: int) -> Position:
        """Account for the offsets that retention took before they were read."""
        number, first = position.partition, position.next_offset
        lost = Skipped(number, first, log_start - 1, SkipReason.LOST)
        details: dict[str, object] = {"partition": number, "first_offset": first, "last_offset": log_start - 1}
        log.error("range_lost", topic=source.topic, **details)
        await self._record("range_lost", source.topic, "retention deleted records before they were read", details)
        await self.commit(source_id, self.score.without_rows(Span(number, first, log_start), (lost,)))
        return replace(position, next_offset=log_start, suspect=None, attempts=0)

    async def _publish_owed(self, source_id: int, position: Position) -> None:
        """Publish predictions that were committed and perhaps never published; from their rows, so with the same bytes."""
        first = offset = position.published_offset
        if first == position.next_offset:
            return
        while offset < position.next_offset:
            rows, offset = await self.store.unpublished(source_id, position.partition, offset, REPUBLISH_ROWS)
            if len(rows.predictions):
                await self.output.predictions(*encode(rows))
        log.info("published_owed", partition=position.partition, first_offset=first, next_offset=position.next_offset)
        await self.store.mark_published(source_id, {position.partition: position.next_offset})

    async def _step(self, source_id: int, position: Position) -> int:
        """After a death, take as many records one at a time as a first batch has; returns the offset behind them."""
        if not self.marks.somebody_died(source_id, position):
            return position.next_offset
        log.warning("stepping", partition=position.partition, offset=position.next_offset, attempts=position.attempts)
        condemned = self.marks.condemned(source_id, position)
        reader = Reader(self.events, largest_batch=FIRST_BATCH_RECORDS)
        reader.start({position.partition: position.next_offset})
        stepped = 0
        while stepped < FIRST_BATCH_RECORDS and (fetched := await reader.read(wait_seconds=STEP_WAIT_SECONDS)).spans:
            for each in singly(fetched):
                await self._take(source_id, each, condemned)
            stepped += len(fetched)
        return reader.next_offsets[position.partition]

    async def _take(self, source_id: int, fetched: Fetched, condemned: int | None) -> None:
        """One record, or one range without records."""
        [span] = fetched.spans
        if not len(fetched):
            await self.commit(source_id, self.score.without_rows(span, fetched.skipped))
        elif span.first_offset == condemned:
            log.error("event_kills_the_worker", partition=span.partition, offset=condemned)
            letter = dead_letter(span.partition, fetched.records[span.partition][0], Reason.KILLS_THE_WORKER)
            await self.commit(source_id, self.score.without_rows(span, dead_letters=(letter,)))
        else:
            await self.marks.before_record(source_id, span)
            await self.handle_alone(source_id, fetched)

    async def _record(self, kind: str, subject: str, reason: str, details: dict[str, object]) -> None:
        await self.store.record(LifecycleEvent(kind, subject, ACTOR, reason, self.now(), details))


def _check_end(position: Position, end: int) -> None:
    if position.next_offset > end:
        raise OffsetGap(
            f"partition {position.partition} ends at {end}, below the stored offset {position.next_offset}: the broker "
            "lost records that are rows already (an unclean election, or a restored backup). Re-create the topic, or restore "
            "the broker, then start the worker again"
        )
