"""The load of a soak: the simulated city sixty times as fast as a real one, at a steady rate, with its journal on disk."""

import asyncio
import heapq
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import TextIO

import msgspec
import numpy as np

from adapters.kafka.broker import Broker
from adapters.kafka.producer import RecordProducer
from domain.city.city import DAY, MINUTE, City
from domain.entities.trips import CompletionColumns, TripColumns
from domain.errors import BrokerUnreachable
from domain.features import CityClock
from schemas.events import Point, TripCompleted, TripStarted
from tests.chaos.checker_sql import line_of

TICK_SECONDS = 0.1
BAD_EVERY = 1000  # of this many events one is rubbish
BAD = "{"
Event = tuple[str, str]  # key and value


def city_events(seed: int, per_second: float) -> Iterator[Event]:
    """Starts and ends in event time's order, for ever; a minute of the city for each second of that rate."""
    city, numbers = City(seed, CityClock()), iter(range(1_000_000_000))
    ends: list[tuple[np.datetime64, int, Event]] = []
    minute = np.datetime64("now", "m") - 4 * DAY
    while True:
        found = city.minute(minute, per_second / 120)
        for row in range(len(found.trips)):
            start, end = _started(found.trips, row), _ended(found.completions, row)
            while ends and ends[0][0] <= found.trips.pickup_at[row]:
                yield heapq.heappop(ends)[2]
            yield start
            heapq.heappush(ends, (found.completions.dropoff_at[row], next(numbers), end))
        minute += MINUTE


def _started(trips: TripColumns, row: int) -> Event:
    event = TripStarted(
        trips.trip_id[row],
        int(trips.vendor_id[row]),
        int(trips.passenger_count[row]),
        _aware(trips.pickup_at[row]),
        Point(float(trips.pickup_latitude[row]), float(trips.pickup_longitude[row])),
        Point(float(trips.dropoff_latitude[row]), float(trips.dropoff_longitude[row])),
    )
    return event.trip_id, msgspec.json.encode(event).decode()


def _ended(completions: CompletionColumns, row: int) -> Event:
    event = TripCompleted(completions.trip_id[row], _aware(completions.pickup_at[row]), _aware(completions.dropoff_at[row]))
    return event.trip_id, msgspec.json.encode(event).decode()


def _aware(at: np.datetime64) -> datetime:
    naive: datetime = at.astype("datetime64[us]").item()
    return naive.replace(tzinfo=UTC)


@dataclass(slots=True)
class Feed:
    """Sends until told to stop. What the broker did not acknowledge is `unknown`, and sent again."""

    kafka: str
    topic: str
    journal: TextIO
    per_second: float
    seed: int
    sent: int = 0
    unknown: int = 0
    behind_seconds: float = 0.0  # how late it ever was, without outages of the broker
    stopped: bool = False

    async def run(self) -> None:
        """At a steady rate: what an outage of the broker took is not made up for."""
        events, together = self._events(), max(1, round(self.per_second * TICK_SECONDS))
        async with RecordProducer(Broker(self.kafka), deadline_seconds=60.0) as producer:
            due = time.monotonic()
            while not self.stopped:
                records = list(islice(events, together))
                while records:
                    records = await self._send(producer, records)
                due = max(due + TICK_SECONDS, time.monotonic() - 1.0)
                self.behind_seconds = max(self.behind_seconds, time.monotonic() - due)
                await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _events(self) -> Iterator[Event]:
        for number, event in enumerate(city_events(self.seed, self.per_second)):
            if number % BAD_EVERY == 0:
                yield f"bad-{number}", BAD
            yield event

    async def _send(self, producer: RecordProducer, records: list[Event]) -> list[Event]:
        sending = (producer.send(self.topic, key.encode(), value.encode()) for key, value in records)
        answers, unsure = await asyncio.gather(*sending, return_exceptions=True), []
        for (key, value), answer in zip(records, answers, strict=True):
            if isinstance(answer, BrokerUnreachable):
                self.unknown += 1
                unsure.append((key, value))
            elif isinstance(answer, BaseException):
                raise answer
            else:
                self.sent += 1
                self.journal.write(line_of(answer.partition, answer.offset, key, value))
        return unsure
