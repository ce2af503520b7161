"""Looks at the database, the broker and the workers twice a second, and remembers what they said."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import numpy as np
import structlog

from api.checks import Checks
from api.reads.asking import Asking
from api.reads.lags import Lag, LagClock
from api.reads.rings import Ring, Slot, minute_of, slot_of
from api.reads.status import Seen, Verdict, verdict
from api.reads.workers import Counters, WorkerReading, parse
from domain.entities.service import ServiceMinute, StoredStream, TopicEnds
from domain.errors import Unreachable

log = structlog.get_logger("tripcast.api.sampler")

TICK_SECONDS = 0.5
DEADLINE_SECONDS = 0.7  # of each look
SECONDS_KEPT = 3660
MINUTES_KEPT = 2 * 24 * 60 + 60  # two days, so that a day has one to be compared with
WRITE_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Sources:
    """Where the sampler looks. Each raises Unreachable; `workers`: name of each, and how to get its metrics as text."""

    stored: Callable[[], Awaitable[StoredStream | None]]
    ends: Callable[[], Awaitable[TopicEnds]]
    workers: dict[str, Callable[[], Awaitable[str]]]
    load: Callable[[datetime], Awaitable[Sequence[ServiceMinute]]]
    keep: Callable[[ServiceMinute], Awaitable[None]]
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
    """See the module. `seconds` and `minutes` hold the past, `look` the present."""

    def __init__(self, sources: Sources, checks: Checks, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.look = Look()
        self.seconds, self.minutes = Ring(SECONDS_KEPT), Ring(MINUTES_KEPT)
        self.started_at = now()
        self._sources, self._checks, self._now = sources, checks, now
        self._stored, self._ends = Asking(sources.stored), Asking(sources.ends)
        self._workers = {name: Asking(read) for name, read in sources.workers.items()}
        self._lags, self._counters = LagClock(), Counters()
        self._slot: Slot | None = None
        self._ended: tuple[float, int] | None = None  # when the broker last told, and the sum of its ends
        self._ticked: float | None = None
        self._requests = sources.requests()
        self._loaded = False
        self._unwritten: list[ServiceMinute] = []
        self._chores: asyncio.Task[None] | None = None

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
        """End what is under way; keep the minute that has begun."""
        await asyncio.gather(self._stored.stop(), self._ends.stop(), *(each.stop() for each in self._workers.values()))
        if self._chores is not None:
            self._chores.cancel()
        self._end_slot()
        last = self.seconds.all().at[-1] if len(self.seconds) else None
        minute = minute_of(self.seconds.all(), self.seconds.partitions, last // 60 * 60) if last is not None else None
        if minute is not None and self._loaded:
            with suppress(Unreachable, TimeoutError):
                async with asyncio.timeout(1.0):
                    await self._sources.keep(minute)

    async def tick(self) -> None:
        """One look at everything."""
        await asyncio.gather(self._look_at_database(), self._look_at_broker(), *map(self._look_at_worker, self._workers))
        now = self._now()
        self._note_workers()
        self._relate(now)
        self._count(now)
        if (self._unwritten or not self._loaded) and (self._chores is None or self._chores.done()):
            self._chores = asyncio.create_task(self._do_chores(now))

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
                worker_up=look.is_up("worker") if self._workers else None,
                ever_worker="worker" in look.ever,
                worker_since=look.since.get("worker", (False, self.started_at))[1],
                champion=look.champion is not None or not self._workers,
                events=stored or (look.ends is not None and any(look.ends.next.values())),
                lag_events=look.lag_events,
                last_event_at=look.last_event_at,
                moved_at=look.moved_at,
            )
        )

    def event_time_at(self, wall: datetime) -> datetime | None:
        """The newest event time that the stream had told by then; None when nobody was looking."""
        for ring in (self.seconds, self.minutes):
            known = ring.between(0, wall.timestamp() + 1)
            if len(known) and ring.all().at[0] <= wall.timestamp():
                newest = known.last("event_time")
                return None if newest is None else datetime.fromtimestamp(newest, UTC)
        return None

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

    async def _look_at_worker(self, name: str) -> None:
        try:
            self.look.readings[name] = parse(await self._workers[name](DEADLINE_SECONDS))
        except (Unreachable, TimeoutError, ValueError, KeyError):
            self.look.readings.pop(name, None)

    def _note_workers(self) -> None:
        if not self._workers:
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
        if self._slot is None or int(at) != int(self._slot.at):
            self._end_slot()
            self._slot = Slot(at=float(int(at)))
        slot = self._slot
        self._count_received(slot, at)
        slot.known += at - self._ticked if self._ticked is not None else 0.0
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

    def _end_slot(self) -> None:
        slot, self._slot = self._slot, None
        if slot is None:
            return
        self.seconds.add(slot)
        minute = slot.at // 60 * 60
        if slot.at == minute + 59 or (len(self.seconds) > 1 and self.seconds.all().at[-2] < minute):
            self._end_minutes(until=minute if slot.at != minute + 59 else minute + 60)

    def _end_minutes(self, until: float) -> None:
        """What has become a whole minute moves on."""
        newest = self.minutes.all().at
        first = newest[-1] + 60 if len(newest) else self.seconds.all().at[0] // 60 * 60
        for minute in np.arange(max(first, until - 3600), until, 60):
            found = minute_of(self.seconds.all(), self.seconds.partitions, float(minute))
            if found is not None:
                self.minutes.add(slot_of(found))
                self._unwritten.append(found)

    # --- keeping ------------------------------------------------------------------------------------------------------

    async def _do_chores(self, now: datetime) -> None:
        """Load the past once, and write what has become whole; what fails is tried again at a later tick."""
        with suppress(Unreachable, TimeoutError):
            if not self._loaded:
                self._merge(await self._sources.load(now - timedelta(minutes=MINUTES_KEPT)))
                self._loaded = True
            while self._unwritten:
                await self._sources.keep(self._unwritten[0])
                self._unwritten.pop(0)
            return
        del self._unwritten[:-MINUTES_KEPT]
        await asyncio.sleep(WRITE_SECONDS)

    def _merge(self, stored: Sequence[ServiceMinute]) -> None:
        """Minutes from before our start, and then our own."""
        ring, mine = Ring(MINUTES_KEPT), self.minutes.all()
        first = mine.at[0] if len(mine) else self.started_at.timestamp() // 60 * 60
        for minute in stored:
            if minute.minute.timestamp() < first:
                ring.add(slot_of(minute))
        for minute in self._unwritten:
            ring.add(slot_of(minute))
        self.minutes = ring


def _words(error: BaseException) -> str:
    return str(error) or "no answer within the deadline"
