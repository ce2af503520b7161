"""The events that everybody reads: valid trips of the simulated city, each started and completed, in event-time order."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from adapters.kafka.broker import Broker
from adapters.kafka.producer import RecordProducer
from adapters.kafka.trip_encoder import encode_completed, encode_started
from domain.city.city import City
from domain.entities.trips import CompletionColumns, TripColumns
from domain.features import CityClock
from domain.quality import TripRules
from domain.timeline import timeline_of

UNTIL = np.datetime64("2025-06-02T05:00:00", "us")


@dataclass(frozen=True, slots=True)
class Events:
    """Keys and values of records, in order."""

    keys: list[bytes]
    values: list[bytes]

    def __len__(self) -> int:
        """How many."""
        return len(self.keys)

    def first(self, count: int) -> "Events":
        """The first `count` of them."""
        return Events(self.keys[:count], self.values[:count])

    def after(self, count: int) -> "Events":
        """All but the first `count` of them."""
        return Events(self.keys[count:], self.values[count:])


def city_events(trips: int, seed: int) -> Events:
    """The events of about so many trips."""
    return in_order(*city_trips(trips, seed))


def city_trips(trips: int, seed: int) -> tuple[TripColumns, CompletionColumns]:
    """About so many trips: the city's dirt is left out, since the yardsticks have no quarantine."""
    parts = list(City(seed, CityClock()).history(trips, UNTIL, days=7))
    started = TripColumns.concatenate([part.trips for part in parts])
    completed = CompletionColumns.concatenate([part.completions for part in parts])
    now = datetime(2026, 1, 1, tzinfo=UTC)
    rules = TripRules()
    valid = (rules.judge_started(started, now) == None) & (rules.judge_completed(completed, now) == None)  # noqa: E711 - arrays
    return started.take(valid), completed.take(valid)


async def publish(kafka: str, topic: str, events: Events) -> None:
    """Put them into a topic."""
    async with RecordProducer(Broker(kafka)) as producer:
        await producer.publish(topic, events.keys, events.values)


def in_order(started: TripColumns, completed: CompletionColumns) -> Events:
    """The events of these trips, row by row, in event-time order."""
    timeline = timeline_of(started, completed)
    values = np.where(
        timeline.ends,
        np.array(encode_completed(completed), dtype=object)[timeline.row],
        np.array(encode_started(started), dtype=object)[timeline.row],
    )
    return Events([trip_id.encode() for trip_id in started.trip_id[timeline.row]], values.tolist())
