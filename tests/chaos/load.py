"""A producer with a journal: sends at a bounded rate and writes down what the broker acknowledged, and where."""

import asyncio
import time
from collections.abc import Sequence
from itertools import chain, repeat, zip_longest

import msgspec

from adapters.kafka.broker import Broker
from adapters.kafka.producer import RecordProducer
from domain.errors import BrokerUnreachable
from schemas.events import TripCompleted, TripStarted
from tests.chaos.journal import Journal
from tests.running import events_of
from tests.trips import random_trips

TOGETHER = 100
AT_ONCE = 1_000_000.0  # events/s: as fast as the broker takes them
DRAIN_SECONDS = 90.0
Record = tuple[bytes | None, bytes | None]  # key and value


def in_turn(count: int, seed: int) -> list[TripStarted | TripCompleted]:
    """Starts, each followed by the completion of the trip a hundred places before."""
    started, completed = events_of(random_trips(count, seed=seed))
    pairs = zip_longest(started, [*repeat(None, 100), *completed])
    return [event for event in chain.from_iterable(pairs) if event is not None]


async def send(
    kafka: str, topic: str, events: Sequence[TripStarted | TripCompleted], journal: Journal, per_second: float
) -> None:
    """Send all events, in order for each trip; a chunk that the broker did not acknowledge is sent again, as producers do."""
    began = time.monotonic()
    async with RecordProducer(Broker(kafka), deadline_seconds=60.0) as producer:
        for first in range(0, len(events), TOGETHER):
            records: list[Record] = [
                (event.trip_id.encode(), msgspec.json.encode(event)) for event in events[first : first + TOGETHER]
            ]
            while records:
                records = await _send_some(producer, topic, records, journal)
            await asyncio.sleep(max(0.0, began + (first + TOGETHER) / per_second - time.monotonic()))


async def send_raw(kafka: str, topic: str, records: Sequence[Record], journal: Journal) -> None:
    """Send bytes as they are; rubbish included."""
    async with RecordProducer(Broker(kafka)) as producer:
        await _send_some(producer, topic, list(records), journal)


async def _send_some(producer: RecordProducer, topic: str, records: list[Record], journal: Journal) -> list[Record]:
    """Send together; returns those whose fate is unknown."""
    answers = await asyncio.gather(*(producer.send(topic, key, value) for key, value in records), return_exceptions=True)
    unsure = []
    for (key, value), answer in zip(records, answers, strict=True):
        if isinstance(answer, BrokerUnreachable):
            journal.unknown.append(value)
            unsure.append((key, value))
        elif isinstance(answer, BaseException):
            raise answer
        else:
            journal.acknowledge(answer.partition, answer.offset, key, value)
    return unsure
