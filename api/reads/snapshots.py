"""Snapshots of the page Live: put together from panels that are read once for all who look; never later than a deadline."""

import asyncio
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec

from api.reads.live import LivePanels
from api.reads.panels import Cached, Shelf
from api.reads.sampler import Sampler
from api.reads.status import Verdict
from api.reads.words import NO_DATA
from schemas.http.base import Period
from schemas.http.snapshot import ErrorSeries, Panel, Snapshot, Status

DEADLINE_SECONDS = 0.75  # for reading; what takes longer is taken in when it comes
FIRST_SECONDS = 0.2
DOWN_SECONDS = 0.05  # the same while it is known that the database does not answer
APART_SECONDS = 0.5  # two snapshots of one view, when nothing has happened to the state
VIEWS = 16
VIEW_SECONDS = 10.0  # a view that nobody asked for is dropped
View = tuple[Period, int | None]


@dataclass(slots=True)
class _Taken:
    """The newest snapshot of a view, when it was taken and asked for."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    snapshot: Snapshot | None = None
    encoded: bytes = b""
    taken: float = 0.0
    asked: float = 0.0


class Snapshots:
    """See the module. `seq` grows with every snapshot of this process, whichever view it is of."""

    def __init__(
        self,
        panels: LivePanels,
        sampler: Sampler,
        environment: str,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.boot = uuid.uuid4().hex
        self._panels, self._sampler, self._environment = panels, sampler, environment
        self._clock, self._now = clock, now
        self._views: dict[View, _Taken] = {}
        self._seq, self._was_up = 0, False
        self._state: tuple[str, datetime] = ("", now())
        self._encode = msgspec.json.Encoder().encode

    @property
    def shelf(self) -> Shelf:
        """The panels of all views."""
        return self._panels.shelf

    async def __call__(
        self, period: Period, area: int | None, after: int | None = None, boot: str | None = None
    ) -> bytes | None:
        """The view's newest snapshot as JSON; None when it is not newer than snapshot `after` of the process `boot`."""
        taken = self._view((period, area))
        async with taken.lock:
            if self._is_due(taken):
                await self._take(taken, period, area)
        snapshot = taken.snapshot
        if snapshot is not None and boot == self.boot and after is not None and snapshot.seq <= after:
            return None
        return taken.encoded

    def _view(self, view: View) -> _Taken:
        now = self._clock()
        for old in [each for each, taken in self._views.items() if now - taken.asked > VIEW_SECONDS and each != view]:
            del self._views[old]
        if view not in self._views and len(self._views) >= VIEWS:
            del self._views[min(self._views, key=lambda each: self._views[each].asked)]
        taken = self._views.setdefault(view, _Taken())
        taken.asked = now
        return taken

    def _is_due(self, taken: _Taken) -> bool:
        """A state that has changed is told at once."""
        if taken.snapshot is None or self._clock() - taken.taken >= APART_SECONDS:
            return True
        return taken.snapshot.status.state != self._sampler.verdict().state

    async def _take(self, taken: _Taken, period: Period, area: int | None) -> None:
        taken.snapshot = await self._build(period, area)
        taken.encoded = self._encode(taken.snapshot)
        taken.taken = self._clock()
        await self.shelf.sweep()

    async def _build(self, period: Period, area: int | None) -> Snapshot:
        panels = self._panels
        with suppress(TimeoutError):
            await asyncio.wait_for(self._sampler.looked.wait(), DEADLINE_SECONDS)
        await panels.champion().fresh(FIRST_SECONDS)  # errors are compared with what its training said
        reads = (panels.champion(), panels.quarantined(), panels.label_delay(), panels.marks(period))
        error, drift, retraining = panels.error(period, area), panels.drift(), panels.retraining()
        places, trips = panels.map(period), panels.trips(area)
        more = (panels.everything(),) if period == "all" else ()
        await self._fresh(error, drift, retraining, places, trips, *reads, *more)
        cards, traffic = panels.cards(period, area), panels.traffic(period)
        await self._fresh(cards, traffic)
        self._seq += 1
        return Snapshot(
            boot=self.boot,
            seq=self._seq,
            taken_at=self._now(),
            period=period,
            area=area,
            status=self._status(),
            cards=cards.panel(next((each.error for each in reads[:2] if each.error), None)),
            traffic=traffic.panel(reads[3].error),
            error=_series(error),
            drift=drift.panel(),
            retraining=retraining.panel(),
            map=places.panel(),
            trips=trips.panel(),
        )

    async def _fresh(self, *panels: Cached[Any]) -> None:
        up = self._sampler.look.is_up("database")
        if up and not self._was_up:
            self.shelf.retry()
        self._was_up = up
        await asyncio.gather(*(panel.fresh(DEADLINE_SECONDS if up else DOWN_SECONDS) for panel in panels))

    def _status(self) -> Status:
        """Decided last, so that what happened while panels were read is in it."""
        found, look = self._sampler.verdict(), self._sampler.look
        if self._state[0] != found.state:
            self._state = found.state, self._now()
        return Status(
            state=found.state,
            since=self._state[1],
            detail=_detail(found),
            environment=self._environment,
            last_event_at=look.last_event_at,
            event_time=look.event_time,
            awaiting=list(found.awaiting),
        )


def _detail(found: Verdict) -> str:
    return NO_DATA if found.state == "no_data" else found.detail


def _series(cached: "Cached[Any]") -> Panel[ErrorSeries]:
    """The panel shows the chart of what was read; the numbers are on a card."""
    reading = cached.data
    return Panel(
        version=cached.version, as_of=cached.as_of, data=reading.series if reading is not None else None, error=cached.error
    )
