"""Run the simulated city live: make its trips minute by minute, and publish every event when its time has come."""

import heapq
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from cli.sources.city_events import CityEvents, DueEvent, Kind
from cli.sources.knobs import TurnedKnobs
from cli.sources.pace import TICK_SECONDS, EventClock, Waiting
from cli.sources.replay import Publish
from domain.city.city import MINUTE, City
from domain.entities.trips import TIME
from domain.errors import BrokerUnreachable

CHUNK_EVENTS = 10_000


@dataclass(slots=True)
class Journey:
    """How far the simulation got: city time (UTC), the first minute whose trips are not made, and a heap of events to come."""

    now: np.datetime64
    made_until: np.datetime64
    pending: list[DueEvent] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Simulation:
    """The city, live. `turned` gives the knobs at a city time; `save` is told after each tick how far it got.

    City time never passes `latest`, the wall's time, so that no event lies in the future. At infinite speed the city is as
    fast as the broker. After a crash events since the last save are published again, with the same bytes.
    """

    city: City
    events: CityEvents
    publish: Publish
    waiting: Waiting
    turned: Callable[[np.datetime64], TurnedKnobs]
    save: Callable[[Journey], None]
    latest: Callable[[], np.datetime64]
    trips_per_city_second: float
    speed: float

    async def __call__(self, journey: Journey, until: np.datetime64 | None = None) -> Counter[Kind]:
        """Run until that city time, or until asked to stop; returns what was published.

        Raises BrokerUnreachable, unless asked to stop: then what is not published stays in the journey.
        """
        published: Counter[Kind] = Counter()
        clock = EventClock(journey.now, self.speed, self.waiting)
        while not self.waiting.stopped:
            journey.now = self._time(clock, journey, until)
            self._make(journey, until)
            due = _due(journey)
            try:
                await self._publish(journey, due)
            except BrokerUnreachable:
                if not self.waiting.stopped:
                    raise
                break
            published.update(event.kind for event in due)
            self.save(journey)
            if until is not None and journey.now >= until:
                break
            await self._wait(clock, journey, idle=not due)
        return published

    async def _publish(self, journey: Journey, due: list[DueEvent]) -> None:
        """All of it; what was perhaps not stored when something fails is due again."""
        for first in range(0, len(due), CHUNK_EVENTS):
            chunk = due[first : first + CHUNK_EVENTS]
            try:
                await self.publish([event.key for event in chunk], [event.value for event in chunk])
            except BaseException:
                for event in due[first:]:
                    heapq.heappush(journey.pending, event)
                raise

    def _time(self, clock: EventClock, journey: Journey, until: np.datetime64 | None) -> np.datetime64:
        """The city time that it is; never back, never past the end or the wall."""
        now = clock.now()
        if now is None:
            now = journey.made_until + MINUTE
        if until is not None:
            now = min(now, until)
        return max(journey.now, min(now, self.latest())).astype(TIME)

    def _make(self, journey: Journey, until: np.datetime64 | None) -> None:
        turned = self.turned(journey.now)
        while journey.made_until <= journey.now and (until is None or journey.made_until < until):
            made = self.city.minute(journey.made_until, self.trips_per_city_second)
            for event in self.events.of(made, turned):
                heapq.heappush(journey.pending, event)
            journey.made_until += MINUTE

    async def _wait(self, clock: EventClock, journey: Journey, *, idle: bool) -> None:
        if not math.isinf(self.speed):
            following = journey.pending[0].due_us if journey.pending else math.inf
            minute = int(journey.made_until.astype(TIME).astype(np.int64))
            await clock.reach(np.datetime64(int(min(following, minute)), "us"))
        elif idle:
            await self.waiting.wait(TICK_SECONDS)


def _due(journey: Journey) -> list[DueEvent]:
    """Take what is due by now, in the order in which it happened."""
    now, due = int(journey.now.astype(TIME).astype(np.int64)), []
    while journey.pending and journey.pending[0].due_us <= now:
        due.append(heapq.heappop(journey.pending))
    return due
