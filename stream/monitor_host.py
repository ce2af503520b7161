"""Runs the Monitor in the worker that leads: beside the hot path, in a tenth of its time."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

import structlog

from domain.errors import BrokerUnreachable, Fenced, Unreachable
from domain.loop.decisions import Answered, RequestKind
from domain.loop.steps import Step
from domain.policy import Timing
from domain.ports import Announce
from stream.announcer import Announcer
from stream.facts import new_facts
from stream.hindsight import Hindsight
from stream.inbox import Inbox
from stream.intake import Intake
from stream.monitor import Monitor
from stream.monitor_metrics import MonitorMetrics
from stream.monitor_ports import EventTopic, Leadership, LoopState, LoopStore, Registered

log = structlog.get_logger("tripcast.stream")

ASK_SECONDS = 2.0  # how often a leader asks whether it still leads, and the others whether they may
IDLE_SECONDS = 1.0
REST = 9  # times as long as it has worked: never more than a tenth of the worker's time
LONGEST_REST_SECONDS = 30.0
GIVE_WAY_SECONDS, LOOK_SECONDS = 5.0, 0.2
STEPS_A_TURN = 20  # some 20 ms: what counts longer makes batches wait for the interpreter
FACTS_SECONDS = 2.0
CALM_SECONDS = 1.0  # a partition that says nothing for so long, while others go on, has nothing to say
IMPATIENT_SECONDS = 30.0  # facts are told where all events are taken in, or after so long
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 30.0


@dataclass(frozen=True, slots=True)
class MonitorParts:
    """What the Monitor works with; put together by `bootstrap`."""

    leadership: Leadership
    store: LoopStore
    topic: EventTopic
    registered: Registered
    announce: Announce
    new_loop: Callable[[], LoopState]
    timing: Timing
    metrics: MonitorMetrics
    inbox: Inbox
    lagging: Callable[[], bool]  # whether the hot path beside it has events to catch up with


class MonitorHost:
    """Two endless tasks: `lead` holds the right to host the loop, `work` hosts it while this worker has that right.

    Whatever goes wrong is logged and counted, and begins anew from what is stored; the hot path does not notice.
    """

    def __init__(self, parts: MonitorParts, stopping: Callable[[], bool]) -> None:
        self._parts, self._stopping = parts, stopping
        self._intake = Intake(parts.store, parts.topic, parts.inbox, parts.metrics)
        self._announcer = Announcer(parts.store, parts.announce)
        self._hindsight = Hindsight(CALM_SECONDS)
        self._leads = asyncio.Event()
        self._monitor: Monitor | None = None
        self._source_id = 0
        self._facts_at = 0.0
        self._asked = False
        self._failures = 0

    # --- who leads ----------------------------------------------------------------------------------------------------

    async def lead(self) -> None:
        """First task. Ends its right when the worker stops."""
        try:
            while not self._stopping():
                self._note(leads=await self._parts.leadership.ask())
                await asyncio.sleep(ASK_SECONDS)
        finally:
            self._parts.leadership.end()

    def _note(self, *, leads: bool) -> None:
        if leads == self._leads.is_set():
            return
        log.info("monitor_leads" if leads else "monitor_follows")
        if leads:
            self._parts.inbox.open()
            self._parts.metrics.leads()
            self._leads.set()
        else:
            self._leads.clear()
            self._parts.inbox.close()
            self._parts.metrics.follows()
            self._monitor = None

    def ask(self) -> None:
        """Something happened to a model: look for facts at the next turn."""
        self._asked = True

    # --- work ---------------------------------------------------------------------------------------------------------

    async def work(self) -> None:
        """Second task."""
        while not self._stopping():
            await self._leads.wait()
            await self._give_way()
            began = time.perf_counter()
            more = await self._guarded_turn()
            worked = time.perf_counter() - began
            self._parts.metrics.seconds.inc(worked)
            await asyncio.sleep(max(min(worked * REST, LONGEST_REST_SECONDS), self._backed_off()))
            if not more:
                with suppress(TimeoutError):
                    idle = IDLE_SECONDS if self._hindsight.settled else CALM_SECONDS
                    await asyncio.wait_for(self._parts.inbox.filled.wait(), idle)

    async def _give_way(self) -> None:
        """Predictions first: where events wait, the loop waits for them, a while."""
        for _ in range(round(GIVE_WAY_SECONDS / LOOK_SECONDS)):
            if not self._parts.lagging() or self._stopping():
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _guarded_turn(self) -> bool:
        try:
            more = await self._turn()
        except Unreachable as error:  # what is in memory stays good: the next turn goes on with it
            log.warning("monitor_waits", why=str(error))
        except Fenced as error:
            log.warning("monitor_fenced", why=str(error))
            self._monitor = None
        except Exception as error:  # the hot path must not suffer from what the loop cannot do
            log.exception("monitor_failed", error=type(error).__name__)
            self._parts.metrics.errors.inc()
            self._monitor = None
        else:
            self._failures = 0
            self._parts.metrics.turned()
            return more
        self._failures += 1
        return False

    def _backed_off(self) -> float:
        return min(FIRST_WAIT_SECONDS * 2**self._failures, LONGEST_WAIT_SECONDS) if self._failures else 0.0

    async def _turn(self) -> bool:
        """One round: take in, close steps, tell facts, store, announce. Whether there may be more to do at once."""
        monitor = self._monitor or await self._take_over()
        moved = await self._intake(monitor, self._source_id)
        await self._look_at_ends(monitor)
        calm = self._hindsight(monitor.tracker.watermark())
        full = calm is not None and await asyncio.to_thread(monitor.close_steps, calm, STEPS_A_TURN)
        await self._tell_facts(monitor, all_closed=not full)
        await self._store(monitor)
        await self._announcer(monitor)
        return moved or full

    async def _look_at_ends(self, monitor: Monitor) -> None:
        """Before steps close: a partition that was read to its end a moment ago may have been filled since."""
        if not monitor.has_ripe_steps():
            return
        try:
            monitor.not_at_end(await self._parts.topic.ends())
        except BrokerUnreachable as error:
            log.debug("ends_unknown", why=str(error))

    async def _take_over(self) -> Monitor:
        """Go on where the last leader was: positions and sums from the database, the loop from its journal."""
        store = self._parts.store
        source_id = await self._parts.topic.source_id()
        standing = await store.standing(source_id)
        monitor = Monitor(self._parts.new_loop(), self._parts.timing, standing)
        async for entries in store.entries(standing.seq):
            await asyncio.to_thread(monitor.recall, entries)
        self._intake.begin()
        self._hindsight = Hindsight(CALM_SECONDS)
        self._source_id, self._facts_at, self._asked = source_id, time.monotonic(), True
        if monitor.champion is None:
            facts = await new_facts(monitor, store, self._parts.registered)
            await asyncio.to_thread(monitor.learn, facts)
        log.info("monitor_took_over", source_id=source_id, seq=standing.seq, phase=monitor.loop.phase)
        self._monitor = monitor
        return monitor

    async def _tell_facts(self, monitor: Monitor, *, all_closed: bool) -> None:
        """At once where somebody asked; but not in the middle of what is still to be taken in, unless that takes long."""
        calm = (all_closed and self._is_calm(monitor)) or monitor.champion is None
        wait = IMPATIENT_SECONDS if not calm else 0.0 if self._asked else FACTS_SECONDS
        if time.monotonic() - self._facts_at < wait:
            return
        self._asked = False
        facts = await new_facts(monitor, self._parts.store, self._parts.registered)
        self._facts_at = time.monotonic()
        for fact in facts:
            log.info("loop_learns", fact=type(fact).__name__)
        await asyncio.to_thread(monitor.learn, facts)

    def _is_calm(self, monitor: Monitor) -> bool:
        """Whether all that was published is in closed steps, as far as it can be."""
        return monitor.tracker.caught_up and self._hindsight.settled

    async def _store(self, monitor: Monitor) -> None:
        made = monitor.round()
        if made is None or not self._leads.is_set():
            return
        stored = await self._parts.store.commit(self._source_id, made)
        monitor.stored(made)
        metrics = self._parts.metrics
        metrics.expired.inc(stored.expired)
        metrics.steps.inc(sum(isinstance(entry.given, Step) for entry in made.entries))
        metrics.phase(monitor.loop.phase)
        metrics.mature(monitor.mature)
        for entry in made.entries:
            if isinstance(entry.given, Answered) and entry.given.kind is RequestKind.RETRAINING:
                metrics.retrainings.labels(entry.given.outcome.value).inc()
        for decision in made.decisions:
            log.info("loop_decides", kind=str(decision.kind), subject=decision.subject, reason=decision.reason)
