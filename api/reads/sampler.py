"""Looks at the database, the broker and the workers twice a second, and remembers what they said."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import numpy as np
import structlog

from api.checks import Checks
from api.reads.asking import Asking
from api.reads.lags import Lag, LagClock
from api.reads.memory import Keeper, Memory
from api.reads.rings import Slot
from api.reads.status import Seen, Verdict, verdict
from api.reads.workers import Counters, WorkerReading, parse
from domain.entities.service import StoredStream, TopicEnds
from domain.errors import Unreachable

log = structlog.get_logger("tripcast.api.sampler")

TICK_SECONDS = 0.5
DEADLINE_SECONDS = 0.7  # of each look


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the sampler looks. Each raises Unreachable, but for `workers`: where they are now; None: nobody has told.

    `metrics`: those of the worker at an address, as text.
    """

    stored: Callable[[], Awaitable[StoredStream | None]]
    ends: Callable[[], Awaitable[TopicEnds]]
    workers: Callable[[], Awaitable[Sequence[str]]] | None
    metrics: Callable[[str], Awaitable[str]]
    requests: Callable[[], float] = lambda: 0.0  # answered by this API so far


@dataclass(slots=True)
class Look:
    """What was seen last, and when; wall time."""

    stored: StoredStream | None = None
    ends: TopicEnds | None = None
    readings: dict[str, WorkerReading] = field(default_factory=dict)
    lags: dict[int, Lag] = field(default_factory=dict)
    champion: tuple[int, str, str] | None = None
    challenger: int | None = None
    phase: str | None = None
    event_time: datetime | None = None
    last_event_at: datetime | None = None
    moved_at: datetime | None = None
    ever: set[str] = field(default_factory=set)
    since: dict[str, tuple[bool, datetime]] = field(default_factory=dict)

    @property
    def lag_events(self) -> int:
        """Events waiting in all partitions."""
        return sum(lag.events for lag in self.lags.values())

    @property
    def oldest(self) -> Lag | None:
        """The partition whose oldest unread event is oldest; None while no end is known."""
        return max(self.lags.values(), key=lambda lag: lag.seconds, default=None)

    def is_up(self, what: str) -> bool:
        """Whether it answered when it was asked last."""
        return self.since.get(what, (False, None))[0]


class Sampler:
    """See the module. `memory` holds the past, `look` the present; `looked` is set after the first look."""

    def __init__(
        self, sources: Sources, keeper: Keeper, checks: Checks, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self.look, self.started_at, self.looked = Look(), now(), asyncio.Event()
        self.memory = Memory(keeper, self.started_at)
        self._sources, self._checks, self._now = sources, checks, now
        self._stored, self._ends = Asking(sources.stored), Asking(sources.ends)
        self._places = Asking(sources.workers) if sources.workers else None
        self._workers: dict[str, Asking[str]] = {}
        self._lags, self._counters = LagClock(), Counters()
        self._ended: tuple[float, int] | None = None  # when the broker last told, and the sum of its ends
        self._ticked: float | None = None
        self._requests = sources.requests()

    async def run(self) -> None:
        """For ever, a tick every half second."""
        due = time.monotonic()
        try:
            while True:
                try:
                    await self.tick()
                except Exception:
                    log.exception("sampler_failed")  # a bad look must not be the last one
                due = max(due + TICK_SECONDS, time.monotonic())
                await asyncio.sleep(due - time.monotonic())
        finally:
            await self.stop()

    async def stop(self) -> None:
        """End what is under way."""
        places = [self._places.stop()] if self._places else []
        workers = [each.stop() for each in self._workers.values()]
        await asyncio.gather(self._stored.stop(), self._ends.stop(), *places, *workers)
        await self.memory.close()

    async def tick(self) -> None:
        """One look at everything."""
        await asyncio.gather(self._look_at_database(), self._look_at_broker(), self._look_at_workers())
        now = self._now()
        self._note_workers()
        self._relate(now)
        self._count(now)
        self.memory.keep_up(now)
        self.looked.set()

    def verdict(self) -> Verdict:
        """What the pill says at this moment."""
        look, now = self.look, self._now()
        stored = look.stored is not None and any(look.stored.next.values())
        return verdict(
            Seen(
                now=now,
                started_at=self.started_at,
                database_up=look.is_up("database"),
                ever_database="database" in look.ever,
                broker_up=look.is_up("broker"),
                ever_broker="broker" in look.ever,
                broker_since=look.since.get("broker", (False, self.started_at))[1],
                worker_up=look.is_up("worker") if self._places else None,
                ever_worker="worker" in look.ever,
                worker_since=look.since.get("worker", (False, self.started_at))[1],
                champion=look.champion is not None or not self._places,
                events=stored or (look.ends is not None and any(look.ends.next.values())),
                lag_events=look.lag_events,
                oldest=look.oldest,
                last_event_at=look.last_event_at,
                moved_at=look.moved_at,
            )
        )

    # --- looking ------------------------------------------------------------------------------------------------------

    async def _look_at_database(self) -> None:
        try:
            stored = await self._stored(DEADLINE_SECONDS)
        except (Unreachable, TimeoutError) as error:
            self._note("database", ok=False, detail=_words(error))
            return
        before, self.look.stored = self.look.stored, stored
        moved_at = stored.moved_at if stored else None
        if before is not None and stored is not None and stored.next != before.next:
            moved_at = self._now()
        self.look.moved_at = max(filter(None, (self.look.moved_at, moved_at)), default=None)
        if not self.look.is_up("broker"):  # else that tells better what has arrived
            self._arrived(moved_at)
        self._note("database", ok=True)

    async def _look_at_broker(self) -> None:
        try:
            ends = await self._ends(DEADLINE_SECONDS)
        except (Unreachable, TimeoutError) as error:
            self._note("broker", ok=False, detail=_words(error))
            return
        before, self.look.ends = self.look.ends, ends
        if before is not None and before.source != ends.source:
            self._lags.restart()
        elif before is not None and any(end > before.next.get(number, 0) for number, end in ends.next.items()):
            self._arrived(self._now())
        self._note("broker", ok=True)

    async def _look_at_workers(self) -> None:
        if self._places is None:
            return
        try:
            names = await self._places(DEADLINE_SECONDS)
        except TimeoutError:
            names = list(self._workers)  # the resolver is slow: those that we know
        for name in self._workers.keys() - set(names):
            await self._workers.pop(name).stop()
            self.look.readings.pop(name, None)
        for name in names:
            self._workers.setdefault(name, Asking(partial(self._sources.metrics, name)))
        await asyncio.gather(*map(self._look_at_worker, self._workers))

    async def _look_at_worker(self, name: str) -> None:
        try:
            self.look.readings[name] = parse(await self._workers[name](DEADLINE_SECONDS))
        except (Unreachable, TimeoutError, ValueError, KeyError):
            self.look.readings.pop(name, None)

    def _note_workers(self) -> None:
        if not self._places:
            self._checks.note("worker", ok=True, detail="not looked at: TRIPCAST_API_WORKERS names no worker")
            return
        silent = sorted(self._workers.keys() - self.look.readings.keys())
        self._note("worker", ok=bool(self.look.readings), detail=f"no answer from {', '.join(silent)}" if silent else "")

    def _note(self, what: str, *, ok: bool, detail: str = "") -> None:
        self._checks.note(what, ok=ok, detail=detail)
        if ok:
            self.look.ever.add(what)
        if self.look.since.get(what, (None,))[0] is not ok:
            self.look.since[what] = (ok, self._now())

    def _arrived(self, at: datetime | None) -> None:
        self.look.last_event_at = max(filter(None, (self.look.last_event_at, at)), default=None)

    # --- putting together ---------------------------------------------------------------------------------------------

    def _relate(self, now: datetime) -> None:
        look, readings = self.look, list(self.look.readings.values())
        for reading in readings:
            look.champion = reading.champion or look.champion
        if readings:
            look.challenger = next((reading.challenger for reading in readings if reading.challenger), None)
            look.phase = next((reading.phase for reading in readings if reading.phase), None)
        told = [datetime.fromtimestamp(each.event_time, UTC) for each in readings if each.event_time]
        told += [look.stored.newest] if look.stored and look.stored.newest else []
        look.event_time = max([*told, *([look.event_time] if look.event_time else [])], default=None)
        if look.ends is not None:
            same = look.stored is not None and look.stored.topic_uuid == look.ends.source.topic_uuid
            stored = look.stored.next if look.stored is not None and same else {}
            self._lags.note(now.timestamp(), look.ends.next)
            look.lags = self._lags.lags(now.timestamp(), {**look.ends.first, **stored})

    def _count(self, now: datetime) -> None:
        """Add what is new to the second that it belongs to."""
        at, look = now.timestamp(), self.look
        slot = self.memory.slot(at)
        self._count_received(slot, at)
        if self._places and self._ticked is not None:
            slot.known += at - self._ticked
        self._ticked = at
        for name, reading in look.readings.items():
            new = self._counters.increase(name, reading)
            slot.scored, slot.quarantined = slot.scored + new.scored, slot.quarantined + new.quarantined
            slot.latency = slot.latency + new.latency
        requests = self._sources.requests()
        slot.requests, self._requests = slot.requests + requests - self._requests, requests
        slot.lag_events = {partition: float(lag.events) for partition, lag in look.lags.items()}
        slot.lag_seconds = look.oldest.seconds if look.oldest else np.nan
        slot.event_time = look.event_time.timestamp() if look.event_time else np.nan

    def _count_received(self, slot: Slot, at: float) -> None:
        if self.look.ends is None or not self.look.is_up("broker"):
            return
        total, before = sum(self.look.ends.next.values()), self._ended
        if before is not None and total >= before[1]:
            slot.received += total - before[1]
            slot.received_known += at - before[0]
        self._ended = (at, total)


def _words(error: BaseException) -> str:
    return str(error) or "no answer within the deadline"
