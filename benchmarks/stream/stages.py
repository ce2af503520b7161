"""What each stage of the worker could do alone: the same events through the worker's own parts, one part after the other.

Nothing runs beside the part that is measured, so each figure is the stage's limit on this machine. In the worker the stages
overlap, and share two cores and an interpreter with each other, with PostgreSQL and with Kafka.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from aiokafka import AIOKafkaConsumer, TopicPartition

from adapters.environment.settings import PostgresSettings
from adapters.kafka.broker import Broker
from adapters.kafka.producer import RecordProducer
from adapters.kafka.topics import topic_source
from adapters.onnx.local_models import LocalModels
from adapters.postgres.connection.pool import open_pool
from adapters.postgres.stream.store import Streams
from benchmarks.stream.ours import empty
from benchmarks.world import PARTITIONS, World
from domain.entities.rejections import DeadLetter
from domain.entities.streams import BatchReceipt, Contradiction, Span
from domain.features import CityClock, feature_schema, features_of
from domain.ports import ScoringModel
from domain.quality import TripRules
from domain.services.score_trips import score_features
from stream.decode import decode
from stream.encode import committed_by, encode
from stream.score_events import Fetched, Prepared, ScoreEvents, Scorers

BATCH_EVENTS = 8_000  # the worker's default
EVENTS = 80_000
OUTPUT = "quality-signals"  # a topic that nobody reads here
RULES, CLOCK = TripRules(), CityClock()


class Limits:
    """Seconds and events by stage, in the order of the stages."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}
        self._events: dict[str, int] = {}

    @contextmanager
    def timed(self, stage: str, events: int) -> Iterator[None]:
        """So many events go through the stage while the block runs."""
        began = time.perf_counter()
        yield
        self.add(stage, events, time.perf_counter() - began)

    def add(self, stage: str, events: int, seconds: float) -> None:
        """So many events took so long in a stage."""
        self._seconds[stage] = self._seconds.get(stage, 0.0) + seconds
        self._events[stage] = self._events.get(stage, 0) + events

    def rates(self) -> dict[str, float]:
        """Events per second by stage."""
        return {stage: self._events[stage] / seconds for stage, seconds in self._seconds.items()}


def run(world: World, prefix: str) -> dict[str, float]:
    """Events per second by stage: fetch, decode, features, model, write, encode, publish."""
    return asyncio.run(_run(world, prefix))


async def _run(world: World, prefix: str) -> dict[str, float]:
    await empty(world)
    limits, topic = Limits(), f"{prefix}trip-events"
    batches = await _fetched(world, topic, limits)
    prepared = _scored(batches, _champion(world), limits)
    receipts = await _written(world, topic, prepared, limits)
    await _published(world, f"{prefix}{OUTPUT}", prepared, receipts, limits)
    return limits.rates()


async def _fetched(world: World, topic: str, limits: Limits) -> list[Fetched]:
    """Read as the worker does, with nothing to do in between. The first batch pays for connections and is not counted."""
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    consumer = AIOKafkaConsumer(bootstrap_servers=world.kafka, enable_auto_commit=False, max_partition_fetch_bytes=4 << 20)
    await consumer.start()
    try:
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        batches = [await _fetch(consumer)]
        while sum(map(len, batches)) < EVENTS:
            began = time.perf_counter()
            batches.append(await _fetch(consumer))
            limits.add("fetch", len(batches[-1]), time.perf_counter() - began)
    finally:
        await consumer.stop()
    return batches


async def _fetch(consumer: AIOKafkaConsumer) -> Fetched:
    found = await consumer.getmany(timeout_ms=5000, max_records=BATCH_EVENTS)
    records = {topic_partition.partition: records for topic_partition, records in found.items()}
    spans = (Span(number, rows[0].offset, rows[-1].offset + 1) for number, rows in records.items())
    return Fetched(records, tuple(sorted(spans, key=lambda span: span.partition)))


def _scored(batches: Sequence[Fetched], model: ScoringModel, limits: Limits) -> list[Prepared]:
    score = ScoreEvents(RULES, CLOCK)
    for batch in batches:
        with limits.timed("decode", len(batch)):
            started = decode(batch.records, RULES, score.now()).started
        with limits.timed("features", len(batch)):
            features = features_of(started, CLOCK)
        with limits.timed("model", len(batch)):
            score_features(started.trip_id, features, model)
    return [score(batch, Scorers(model)) for batch in batches]


def _champion(world: World) -> ScoringModel:
    library = LocalModels(world.folder / "data" / "models", feature_schema(CLOCK))
    version = library.last_champion()
    assert version is not None  # `champion.champion` has fetched it
    return library.admit(version, _never)


async def _written(world: World, topic: str, prepared: Sequence[Prepared], limits: Limits) -> list[BatchReceipt]:
    """One transaction a batch, one after the other: look-up, COPY, commit."""
    pool = await open_pool(PostgresSettings(database=world.database), "tripcast-bench")
    try:
        store = Streams(pool)
        source_id = await store.register(await topic_source(Broker(world.kafka), topic))
        for number in range(PARTITIONS):
            await store.open_partition(source_id, number, 0)
        receipts = []
        for each in prepared:
            with limits.timed("write", len(each.timestamps_ms)):
                receipts.append(await store.write(source_id, each.batch, _none_refused))
        return receipts
    finally:
        await pool.close()


async def _published(
    world: World, topic: str, prepared: Sequence[Prepared], receipts: Sequence[BatchReceipt], limits: Limits
) -> None:
    async with RecordProducer(Broker(world.kafka)) as producer:
        for each, receipt in zip(prepared, receipts, strict=True):
            with limits.timed("encode", len(each.timestamps_ms)):
                encoded = encode(committed_by(each.batch, receipt))
            with limits.timed("publish", len(each.timestamps_ms)):
                await producer.publish(topic, encoded.keys, encoded.values)


async def _none_refused(contradictions: Sequence[Contradiction]) -> Sequence[DeadLetter]:
    raise AssertionError(f"the city's trips contradict each other: {contradictions}")


def _never(*_: object) -> None:
    raise AssertionError("the champion's copy was verified before")
