"""Send a trip as any producer does, and wait until its prediction is published and its row is stored."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Protocol

import msgspec
import structlog

from cli.canary.health import DATABASE, TRIPS, CanaryHealth
from cli.canary.metrics import PREDICTED, STORED, CanaryMetrics
from domain.entities.canaries import PASSENGERS, PREFIX, VENDOR_ID, Route
from domain.errors import BrokerUnreachable, DatabaseUnreachable
from schemas.events import Point, TripStarted

log = structlog.get_logger("tripcast.canary")

FIRST_LOOK_SECONDS, LONGEST_LOOK_SECONDS = 0.005, 1.0
SLOWER = 1.3  # each look at the database comes so much later than the one before: a measure is wrong by that at most
TRIES_A_PARTITION = 20


class Skies(Protocol):
    """Where canaries fly: the two topics and the database. Raises BrokerUnreachable, DatabaseUnreachable."""

    async def partitions(self) -> int:
        """How many partitions trip-events has."""
        ...

    async def partition_of(self, trip_ids: Sequence[str]) -> list[int]:
        """Where in trip-events these trips go."""
        ...

    async def ahead(self, trip_id: str) -> tuple[int, int]:
        """Partition and offset in trip-predictions from which on its prediction will lie."""
        ...

    async def send(self, trip_id: str, value: bytes) -> None:
        """Returns when the broker has it."""
        ...

    async def predicted(self, trip_id: str, place: tuple[int, int]) -> None:
        """Returns when a prediction of the trip is published, at that place or behind."""
        ...

    async def stored(self, trip_id: str) -> bool:
        """Whether the trip is a row with its prediction."""
        ...


@dataclass(slots=True)
class Canary:
    """One after the other, to each partition in turn. `_instance` tells it from others beside it."""

    skies: Skies
    route: Route
    metrics: CanaryMetrics
    health: CanaryHealth
    deadline_seconds: float
    clock: Callable[[], float] = time.monotonic
    _instance: str = field(default_factory=lambda: secrets.token_hex(4))
    _count: int = 0

    async def fly(self) -> bool:
        """Whether the next one got through. Raises BrokerUnreachable when the broker did not take it: then it is not lost."""
        trip_id = await self._named()
        place = await self.skies.ahead(trip_id)
        sent = self.clock()
        await self.skies.send(trip_id, self._event(trip_id))
        self.metrics.sent()
        stages = {
            PREDICTED: asyncio.create_task(self._timed(PREDICTED, sent, self._until_predicted(trip_id, place))),
            STORED: asyncio.create_task(self._timed(STORED, sent, self._until_stored(trip_id))),
        }
        try:
            done, _ = await asyncio.wait(stages.values(), timeout=self.deadline_seconds)
        finally:
            for task in stages.values():
                task.cancel()
        for task in done:
            task.result()
        return self._judge(trip_id, [stage for stage, task in stages.items() if task not in done])

    def _judge(self, trip_id: str, missing: list[str]) -> bool:
        if missing:
            self.metrics.lost()
            self.health.down(TRIPS, f"{trip_id} was not {' and not '.join(missing)} within {self.deadline_seconds:g} s")
            log.error("canary_lost", trip_id=trip_id, missing=missing, seconds=self.deadline_seconds)
            return False
        self.metrics.through()
        self.health.up(TRIPS)
        return True

    async def _named(self) -> str:
        """An id whose partition is the next one."""
        count = await self.skies.partitions()
        wanted, self._count = self._count % count, self._count + 1
        while True:
            candidates = [f"{PREFIX}{self._instance}-{secrets.token_hex(6)}" for _ in range(TRIES_A_PARTITION * count)]
            places = await self.skies.partition_of(candidates)
            if wanted in places:
                return candidates[places.index(wanted)]

    def _event(self, trip_id: str) -> bytes:
        begin = Point(self.route.pickup_latitude, self.route.pickup_longitude)
        end = Point(self.route.dropoff_latitude, self.route.dropoff_longitude)
        return msgspec.json.encode(TripStarted(trip_id, VENDOR_ID, PASSENGERS, datetime.now(UTC), begin, end))

    async def _timed(self, stage: str, since: float, arrival: Awaitable[None]) -> None:
        await arrival
        self.metrics.arrived(stage, self.clock() - since)

    async def _until_predicted(self, trip_id: str, place: tuple[int, int]) -> None:
        while True:
            try:
                return await self.skies.predicted(trip_id, place)
            except BrokerUnreachable as error:  # a quiet partition, or a broker that is away: until the deadline
                log.debug("canary_waits", error=str(error))
                await asyncio.sleep(FIRST_LOOK_SECONDS)

    async def _until_stored(self, trip_id: str) -> None:
        pause = FIRST_LOOK_SECONDS
        while not await self._stored(trip_id):
            await asyncio.sleep(pause)
            pause = min(pause * SLOWER, LONGEST_LOOK_SECONDS)

    async def _stored(self, trip_id: str) -> bool:
        try:
            stored = await self.skies.stored(trip_id)
        except DatabaseUnreachable as error:
            self.health.down(DATABASE, str(error))
            return False
        self.health.up(DATABASE)
        return stored
