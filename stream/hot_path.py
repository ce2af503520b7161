"""The hot path: fetch, decode and score one batch while PostgreSQL commits the one before and Kafka takes the one before that.

Three tasks hand batches on, strictly in order, each at most one ahead. Whatever changes what is ours (a rebalance, another
worker's write, a position outside the log) begins a new epoch, and what is in hand of the old one is dropped: its offsets stand
still in PostgreSQL, so nothing is lost by forgetting.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

import structlog

from domain.entities.streams import BatchReceipt
from domain.errors import Fenced, NoChampion, Unreachable
from domain.ports import StreamStore
from stream.commit import Commit
from stream.encode import committed_by, encode
from stream.follower import Champion, Follower, Shadow, ShadowFollower
from stream.health import Progress, Readiness
from stream.ledger import Ledger
from stream.marks import Marks
from stream.metrics import Metrics
from stream.monitor_host import MonitorParts
from stream.patience import Patience
from stream.ports import EventSource, Output
from stream.presence import Presence
from stream.question import Question
from stream.reader import PositionLost, Reader
from stream.score_events import Fetched, Prepared, ScoreEvents, Scorers
from stream.signals import Signals
from stream.take_over import TakeOver
from stream.traces import Traces

log = structlog.get_logger("tripcast.stream")

WAIT_SECONDS = 0.2
REVOKE_SECONDS = 5.0  # a session lasts 10 s; a slower transaction is fenced by the stored offsets
FLUSH_SECONDS = 1.0  # a signal that comes later is made again by whoever listens
FRESH_SECONDS = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class InHand:
    """A batch on its way; `receipt` once it is committed."""

    epoch: int
    source_id: int
    prepared: Prepared
    receipt: BatchReceipt | None = None


@dataclass(frozen=True, slots=True)
class Parts:
    """What the worker works with; put together by `bootstrap`."""

    events: EventSource
    store: StreamStore
    output: Output
    champion: Champion
    follower: Follower
    shadow: Shadow
    shadow_follower: ShadowFollower
    score: ScoreEvents
    metrics: Metrics
    traces: Traces
    presence: Presence
    readiness: Readiness
    progress: Progress
    marks: Marks
    patience: Patience
    ledger: Ledger
    signals: Signals
    monitor: MonitorParts
    largest_batch: int


class HotPath:
    """Three endless tasks: `read`, `write`, `publish`. An error that no retry helps leaves them and stops the worker."""

    def __init__(self, parts: Parts, stopping: Callable[[], bool]) -> None:
        self._parts, self._ledger, self._stopping = parts, parts.ledger, stopping
        parts.events.before_revoke = self.before_revoke
        self._reader = Reader(parts.events, parts.largest_batch)
        self._taken: tuple[int, int] | None = None  # epoch and generation of the positions that the reader has
        self._first_is_through = False
        self._room = asyncio.Event()
        self._to_write: asyncio.Queue[InHand] = asyncio.Queue(1)
        self._to_publish: asyncio.Queue[InHand] = asyncio.Queue(1)
        self._unpublished_epoch = -1  # from this epoch a batch was given up: later ones must not be called published
        self._take_over = TakeOver(
            parts.events,
            parts.store,
            parts.output,
            parts.score,
            parts.marks,
            commit=self._commit,
            handle_alone=self._handle_alone,
        )

    async def read(self) -> None:
        """First task: fetch, decode, score. Returns when the worker stops."""
        while not self._stopping():
            try:
                await self._read_once()
            except (PositionLost, Fenced) as error:
                log.info("beginning_anew", why=str(error))
                self._ledger.begin_anew()
            except Unreachable as error:  # only when stopping, or when the epoch ended meanwhile
                log.info("beginning_anew", why=str(error))
                self._ledger.begin_anew()

    async def write(self) -> None:
        """Second task: one transaction a batch."""
        while True:
            batch = await self._to_write.get()
            self._room.set()
            receipt = await self._written(batch)
            if receipt is None:
                self._ledger.put_down()
            else:
                await self._to_publish.put(replace(batch, receipt=receipt))

    async def publish(self) -> None:
        """Third task: the committed predictions."""
        while True:
            batch = await self._to_publish.get()
            if batch.epoch > self._unpublished_epoch:
                await self._publish(batch)
            self._ledger.put_down()

    async def before_revoke(self) -> None:
        """The group takes partitions away: what is committed gets published, the rest is dropped. Bounded."""
        self._ledger.begin_anew()
        await self.settle(REVOKE_SECONDS)
        await self._parts.signals.flush(FLUSH_SECONDS)

    async def settle(self, seconds: float) -> None:
        """Wait until nothing is in hand, then tell the database what is published."""
        try:
            await Question(self._settled, seconds)()
        except (TimeoutError, Unreachable) as error:
            log.warning("not_settled", why=str(error))

    async def _settled(self) -> None:
        await self._ledger.idle.wait()
        await self.say_published()

    async def say_published(self) -> None:
        """Store how far predictions are published; while batches flow, it rides in their transactions."""
        if said := dict(self._ledger.published):
            await self._parts.store.mark_published(self._ledger.source_id, said)
            self._ledger.forget_published(said)

    # --- reading --------------------------------------------------------------------------------------------------------

    async def _read_once(self) -> None:
        parts = self._parts
        try:
            parts.champion.current()
        except NoChampion:  # consume nothing, not even a place in the group
            await self._wait_for_change()
            return
        await parts.patience("connect", parts.events.open, unless=self._stopping)
        if not parts.events.assigned:
            self._ledger.take(self._ledger.source_id, {})
            parts.presence.reads(frozenset())
            await self._wait_for_change()
            return
        if self._taken != self._now():
            await self._take()
        if not self._to_write.empty():  # one batch ahead is enough: waiting makes larger, cheaper batches
            await _wait(self._room, WAIT_SECONDS)
            return
        with parts.metrics.stage("fetch"):
            fetched = await self._reader.read(WAIT_SECONDS)
        if fetched.spans:
            await self._hand_on(fetched)
        elif self._ledger.idle.is_set():
            parts.signals.look()

    async def _take(self) -> None:
        """Positions from PostgreSQL for what is assigned now; waits for whatever that needs, unless the assignment changes."""
        parts, ledger = self._parts, self._ledger
        ledger.begin_anew()
        taking = self._now()
        await ledger.idle.wait()
        await parts.follower.fresh(FRESH_SECONDS)  # a partition must not go back to an older model with its new owner
        mine = await parts.patience("take_over", self._take_over, unless=lambda: self._stopping() or self._now() != taking)
        self._reader.start(mine.next_offsets)
        ledger.take(mine.source_id, dict(mine.next_offsets))
        parts.signals.begin_anew()
        self._taken, self._first_is_through = taking, False
        parts.presence.reads(frozenset(mine.next_offsets))
        log.info("taken_over", source_id=mine.source_id, next_offsets=ledger.committed)

    async def _hand_on(self, fetched: Fetched) -> None:
        source_id = self._ledger.source_id
        if not self._first_is_through:
            for span in fetched.spans:
                await self._parts.marks.before_first_batch(source_id, span)
        prepared = await self._prepare(fetched)
        if self._taken is None or self._taken != self._now():
            return
        self._ledger.pick_up()
        self._room.clear()
        self._to_write.put_nowait(InHand(self._taken[0], source_id, prepared))
        if self._reader.growing or not self._first_is_through:  # alone in hand: see `marks`
            await self._ledger.idle.wait()
            self._first_is_through = True

    async def _wait_for_change(self) -> None:
        """Clears the event first: one that is set would not let another task run."""
        self._parts.events.changed.clear()
        await _wait(self._parts.events.changed, WAIT_SECONDS)

    def _now(self) -> tuple[int, int]:
        return self._ledger.epoch, self._parts.events.generation

    async def _prepare(self, fetched: Fetched) -> Prepared:
        """By whoever serves now: what was so before the fetch, or before a take-over, may be long past."""
        scorers = self._scorers()
        with self._parts.metrics.stage("score"):
            prepared = await asyncio.to_thread(self._parts.score, fetched, scorers)
        if prepared.shadow_failure is not None and scorers.shadow is not None:
            self._parts.shadow_follower.failed(scorers.shadow, prepared.shadow_failure)
        return prepared

    def _scorers(self) -> Scorers:
        """Who scores the next batch. Raises NoChampion; once there is a champion, there always is one."""
        champion = self._parts.champion.current()
        return Scorers(champion, self._parts.shadow.beside(champion))

    # --- writing and publishing -----------------------------------------------------------------------------------------

    async def _written(self, batch: InHand) -> BatchReceipt | None:
        """The receipt, or None when the batch is not ours any more."""
        if batch.epoch != self._ledger.epoch:
            return None
        spans = batch.prepared.batch.spans
        riding = self._ledger.published_of(spans)
        commit = self._new_commit(batch.source_id, batch.prepared)
        try:
            receipt = await self._parts.patience("write", lambda: commit(riding), unless=self._ended(batch.epoch))
        except (Fenced, Unreachable) as error:
            log.info("batch_dropped", why=str(error), partitions=[span.partition for span in spans])
            self._ledger.begin_anew()
            return None
        self._ledger.forget_published(riding)
        self._ledger.advance(spans)
        self._parts.signals.add(batch.source_id, batch.prepared.batch, receipt, commit.refused)
        return receipt

    async def _publish(self, batch: InHand) -> None:
        spans = batch.prepared.batch.spans
        try:
            await self._parts.patience("publish", lambda: self._send(batch), unless=self._ended(batch.epoch))
        except Unreachable as error:
            log.warning("publishing_owed", why=str(error), partitions=[span.partition for span in spans])
            self._unpublished_epoch = batch.epoch
            return
        self._ledger.published |= {span.partition: span.next_offset for span in spans}

    async def _send(self, batch: InHand) -> None:
        if batch.receipt is None or not batch.receipt.stored.any():
            return
        committed = committed_by(batch.prepared.batch, batch.receipt)
        with self._parts.metrics.stage("publish"):
            await self._parts.output.predictions(*await asyncio.to_thread(encode, committed))

    def _ended(self, epoch: int) -> Callable[[], bool]:
        return lambda: self._stopping() or self._ledger.epoch != epoch

    def _new_commit(self, source_id: int, prepared: Prepared) -> Commit:
        return Commit(self._parts.store, self._parts.output, self._parts.metrics, self._parts.traces, source_id, prepared)

    # --- one by one, for the take-over ----------------------------------------------------------------------------------

    async def _commit(self, source_id: int, prepared: Prepared) -> BatchReceipt:
        commit = self._new_commit(source_id, prepared)
        receipt = await commit()
        self._parts.signals.add(source_id, prepared.batch, receipt, commit.refused)
        return receipt

    async def _handle_alone(self, source_id: int, fetched: Fetched) -> None:
        prepared = await self._prepare(fetched)
        receipt = await self._commit(source_id, prepared)
        await self._send(InHand(self._ledger.epoch, source_id, prepared, receipt))
        await self._parts.store.mark_published(source_id, {each.partition: each.next_offset for each in fetched.spans})


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        return
