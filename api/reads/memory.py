"""What the sampler has seen: an hour by the second, two days by the minute, kept in the database from minute to minute."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np

from api.reads.rings import Past, Ring, Slot, minute_of, past, slot_of
from domain.entities.service import ServiceMinute
from domain.errors import Unreachable

SECONDS_KEPT = 3660
MINUTES_KEPT = 2 * 24 * 60 + 60  # two days, so that a day has one to be compared with
RETRY_SECONDS = 3.0
GOODBYE_SECONDS = 1.0
END_OF_TIME = 1e12


@dataclass(frozen=True, slots=True)
class Keeper:
    """Where minutes are kept. Both raise Unreachable."""

    load: Callable[[datetime], Awaitable[Sequence[ServiceMinute]]]
    keep: Callable[[ServiceMinute], Awaitable[None]]


class Memory:
    """Filled one step at a time, by `slot`; what has become a whole minute moves on."""

    def __init__(self, keeper: Keeper, started_at: datetime) -> None:
        self.seconds, self.minutes = Ring(SECONDS_KEPT), Ring(MINUTES_KEPT)
        self._keeper, self._started_at = keeper, started_at
        self._slot: Slot | None = None
        self._loaded = False
        self._unwritten: list[ServiceMinute] = []
        self._chores: asyncio.Task[None] | None = None

    def slot(self, at: float) -> Slot:
        """The step that holds a moment, seconds since 1970; the one before is done with."""
        if self._slot is None or int(at) != int(self._slot.at):
            self._end_slot()
            self._slot = Slot(at=float(int(at)))
        return self._slot

    def past(self, since: float, until: float) -> Past:
        """What is known of [since, until), as finely as it is."""
        return past(self.minutes, self.seconds, since, until)

    def event_time_at(self, wall: datetime) -> datetime | None:
        """The newest event time that the stream had told by then, or, when nobody was looking yet, the first that it told."""
        known = self.past(0.0, wall.timestamp() + 1).stretch.last("event_time")
        if known is None:
            known = self.past(wall.timestamp(), END_OF_TIME).stretch.first("event_time")
        return None if known is None else datetime.fromtimestamp(known, UTC)

    def keep_up(self, now: datetime) -> None:
        """Load and write in the background, as long as there is something to load or to write."""
        if (self._unwritten or not self._loaded) and (self._chores is None or self._chores.done()):
            self._chores = asyncio.create_task(self._do_chores(now))

    async def close(self) -> None:
        """Keep the minute that has begun, if that is possible at once."""
        if self._chores is not None:
            self._chores.cancel()
        self._end_slot()
        if not (len(self.seconds) and self._loaded):
            return
        minute = minute_of(self.seconds.all(), self.seconds.partitions, float(self.seconds.all().at[-1]) // 60 * 60)
        with suppress(Unreachable, TimeoutError):
            async with asyncio.timeout(GOODBYE_SECONDS):
                for each in [*self._unwritten, *([minute] if minute else [])]:
                    await self._keeper.keep(each)

    def _end_slot(self) -> None:
        slot, self._slot = self._slot, None
        if slot is None:
            return
        self.seconds.add(slot)
        minute, last = slot.at // 60 * 60, slot.at % 60 == 59  # noqa: PLR2004 - the last second of a minute
        self._end_minutes(until=minute + 60 if last else minute)

    def _end_minutes(self, until: float) -> None:
        known = self.minutes.all().at
        mine = float(self.seconds.all().at[0]) // 60 * 60
        first = max(mine, float(known[-1]) + 60) if len(known) else mine
        for minute in np.arange(first, until, 60.0):
            found = minute_of(self.seconds.all(), self.seconds.partitions, float(minute))
            if found is not None:
                self.minutes.add(slot_of(found))
                self._unwritten.append(found)

    async def _do_chores(self, now: datetime) -> None:
        """What fails is tried again a little later."""
        try:
            if not self._loaded:
                self._merge(await self._keeper.load(now - timedelta(minutes=MINUTES_KEPT)))
                self._loaded = True
            while self._unwritten:
                await self._keeper.keep(self._unwritten[0])
                self._unwritten.pop(0)
        except (Unreachable, TimeoutError):
            del self._unwritten[:-MINUTES_KEPT]
            await asyncio.sleep(RETRY_SECONDS)

    def _merge(self, stored: Sequence[ServiceMinute]) -> None:
        """Minutes from before our start, and then our own."""
        ring, first = Ring(MINUTES_KEPT), self._started_at.timestamp() // 60 * 60
        for minute in (*(each for each in stored if each.minute.timestamp() < first), *self._unwritten):
            ring.add(slot_of(minute))
        self.minutes = ring
