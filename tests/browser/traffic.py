"""Trips that start now, published through Kafka at a steady pace, or one at a time."""

import asyncio
from datetime import UTC, datetime

import msgspec
import numpy as np

from adapters.kafka.broker import Broker
from adapters.kafka.producer import RecordProducer
from domain.entities.trips import TripColumns
from schemas.events import TripStarted
from tests.running import events_of
from tests.trips import one_trip, random_trips

EVERY_SECONDS = 0.5  # two trips a second: the table shows each for some seconds
FIRST = 400  # trips at once in the beginning, so that charts and maps have something to show
# What each trip takes, in event time; its completion is published with the start of a later one. The first completions take
# the stream so far beyond the first pickup that a step of the loop closes, at whatever minute the tests begin.
MINUTES = 16
OPEN_TRIPS = 300


class Traffic:
    """All methods on one event loop."""

    def __init__(self, kafka: str, prefix: str) -> None:
        self._kafka, self._topic = kafka, f"{prefix}trip-events"
        self._task: asyncio.Task[None] | None = None
        self._made = 0
        self._open: list[object] = []

    async def flow(self) -> None:
        """Begin to publish. Idempotent."""
        if self._task is None:
            self._task = asyncio.create_task(self._flow())

    async def cease(self) -> None:
        """Stop publishing. Idempotent."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def one(self, trip_id: str, **changes: object) -> None:
        """One trip that starts now."""
        started, _ = events_of(one_trip(trip_id=trip_id, pickup_at=datetime.now(UTC), **changes))
        async with RecordProducer(Broker(self._kafka)) as producer:
            await self._publish(producer, started)

    async def some(self, count: int) -> None:
        """That many trips at once."""
        async with RecordProducer(Broker(self._kafka)) as producer:
            await self._publish(producer, self._starts(count))

    async def _flow(self) -> None:
        async with RecordProducer(Broker(self._kafka)) as producer:
            while True:
                await self._publish(producer, self._starts(1 if self._made else FIRST))
                await asyncio.sleep(EVERY_SECONDS)

    def _starts(self, count: int) -> list[object]:
        self._made += 1
        started, completed = events_of(_now(random_trips(count, seed=self._made)), minutes=MINUTES)
        self._open += completed
        due, self._open = self._open[:-OPEN_TRIPS], self._open[-OPEN_TRIPS:]
        return [*started, *due]

    async def _publish(self, producer: RecordProducer, events: list[object] | list[TripStarted]) -> None:
        keys = [event.trip_id.encode() for event in events]  # type: ignore[attr-defined]
        await producer.publish(self._topic, keys, [msgspec.json.encode(event) for event in events])


def _now(trips: TripColumns) -> TripColumns:
    trips.pickup_at[:] = np.datetime64(datetime.now(UTC).replace(tzinfo=None), "us")
    return trips
