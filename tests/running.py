"""A worker as a process, and what a test asks of the world around it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord
from prometheus_client.parser import text_string_to_metric_families

from adapters.environment.settings import KafkaSettings
from adapters.kafka.broker import Broker
from adapters.kafka.producer import Delivered, RecordProducer
from adapters.kafka.topics import end_offsets, ensure_topics
from cli.embedded.ports import HOST, free_ports
from domain.entities.trips import TripColumns
from schemas.events import Point, TripCompleted, TripStarted

REPOSITORY = Path(__file__).parent.parent
DEADLINE_SECONDS = 60.0
PARTITIONS = 3


@dataclass(slots=True)
class Worker:
    """A process that runs `tests.worker_process`."""

    process: subprocess.Popen[bytes]
    port: int
    log: Path

    def signal(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    async def ended(self) -> int:
        """Its exit code, once it has ended."""
        return await asyncio.to_thread(self.process.wait, DEADLINE_SECONDS)

    def health(self, path: str) -> tuple[int, dict[str, Any]]:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{self.port}/{path}", timeout=5) as answer:
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)
        except OSError as error:
            return 0, {"error": str(error)}

    def metric(self, name: str, **labels: str) -> float:
        """The sum of the samples with these labels."""
        with urllib.request.urlopen(f"http://{HOST}:{self.port}/metrics", timeout=5) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
        samples = [sample for family in families for sample in family.samples if sample.name == name]
        return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())

    def events(self, name: str) -> list[dict[str, Any]]:
        """What it has logged under this event's name."""
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [entry for entry in map(json.loads, lines) if entry.get("event") == name]


@dataclass(slots=True)
class World:
    """One test's topics and database, and the workers on them."""

    kafka: str
    database: str
    prefix: str
    folder: Path
    started: list[Worker]
    partitions: int = PARTITIONS

    @contextmanager
    def worker(self, *module: str, **environment: str) -> Iterator[Worker]:
        worker = self.start_worker(*module, **environment)
        try:
            yield worker
        finally:
            stop(worker)

    def start_worker(self, *module: str, **environment: str) -> Worker:
        """`module` with its arguments; default: the one whose models need no registry."""
        port, log = free_ports(1)[0], self.folder / f"worker-{len(self.started)}.log"
        settings = {
            "TRIPCAST_KAFKA": self.kafka,
            "TRIPCAST_DATABASE": self.database,
            "TRIPCAST_TOPIC_PREFIX": self.prefix,
            "TRIPCAST_WORKER_PORT": str(port),
            "TRIPCAST_DATA": str(self.folder / "data"),
            "TRIPCAST_LOG_FORMAT": "json",
        }
        with log.open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", *(module or ("tests.worker_process",))],
                cwd=REPOSITORY,
                env={**os.environ, **settings, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.started.append(Worker(process, port, log))
        return self.started[-1]

    async def prepare(self) -> None:
        await ensure_topics(KafkaSettings(kafka=self.kafka, topic_prefix=self.prefix, partitions=self.partitions))

    async def publish(self, events: Sequence[TripStarted | TripCompleted], headers: Any = None) -> None:
        """As a producer does: keyed by trip id. `headers` of each, if any."""
        async with RecordProducer(Broker(self.kafka)) as producer:
            keys = [event.trip_id.encode() for event in events]
            values = [msgspec.json.encode(event) for event in events]
            await producer.publish(f"{self.prefix}trip-events", keys, values, headers)

    async def send(self, key: bytes | None, value: bytes | None, partition: int = 0, headers: Any = ()) -> Delivered:
        async with RecordProducer(Broker(self.kafka)) as producer:
            return await producer.send(f"{self.prefix}trip-events", key, value, headers, partition=partition)

    async def rows(self, query: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self.database)
        try:
            return list(await connection.fetch(query, *arguments))
        finally:
            await connection.close()

    async def count(self, table: str) -> int:
        return int((await self.rows(f"select count(*) from {table}"))[0][0])

    async def drained(self, deadline: float = DEADLINE_SECONDS) -> None:
        """Return when every event of the topic is accounted for and its predictions are published."""
        ends = await end_offsets(Broker(self.kafka), f"{self.prefix}trip-events")

        async def done() -> bool:
            rows = await self.rows(
                "select partition, next_offset, published_offset from stream_offsets "
                "where source_id = (select max(source_id) from stream_offsets)"
            )
            return {row[0]: (row[1], row[2]) for row in rows} == {number: (end, end) for number, end in ends.items()}

        await until(done, deadline)

    async def published(self, topic: str = "trip-predictions") -> list[ConsumerRecord]:
        """Everything that is in an output topic now, in order of partition and offset."""
        name = f"{self.prefix}{topic}"
        ends = await end_offsets(Broker(self.kafka), name)
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self.kafka, enable_auto_commit=False, max_partition_fetch_bytes=10_000_000
        )
        await consumer.start()
        try:
            partitions = [TopicPartition(name, number) for number in ends]
            consumer.assign(partitions)
            await consumer.seek_to_beginning(*partitions)
            found: list[ConsumerRecord] = []
            while len(found) < sum(ends.values()):
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    found += records
            return sorted(found, key=lambda record: (record.partition, record.offset))
        finally:
            await consumer.stop()

    async def unaccounted(self) -> list[str]:
        """Offsets below the stored one that have no row, or more than one; straight from the tables."""
        rows = await self.rows(
            """
            with places as (
                select source_id, partition, record_offset from trips where source_id is not null
                union all select source_id, partition, record_offset from completions where source_id is not null
                union all select source_id, partition, record_offset from dead_letters
                union all select source_id, partition, o from skipped_records, generate_series(first_offset, last_offset) as o
            ), expected as (
                select source_id, partition, o as record_offset
                from stream_offsets, generate_series(start_offset, next_offset - 1) as o
            )
            select e.*, count(p.record_offset) as places
            from expected e left join places p using (source_id, partition, record_offset)
            group by 1, 2, 3 having count(p.record_offset) <> 1
            """
        )
        return [f"{row['partition']}/{row['record_offset']}: {row['places']} places" for row in rows]


async def until(condition: Callable[[], Awaitable[bool]], deadline: float = DEADLINE_SECONDS) -> None:
    """Return when the condition holds; for what cannot be awaited."""
    async with asyncio.timeout(deadline):
        while not await condition():  # noqa: ASYNC110 - it becomes true in another process
            await asyncio.sleep(0.05)


def stop(worker: Worker) -> None:
    """End it, gently first."""
    if worker.process.poll() is None:
        tell_to_stop(worker)
        try:
            worker.process.wait(12)
        except subprocess.TimeoutExpired:
            worker.process.kill()
            worker.process.wait()


def tell_to_stop(worker: Worker) -> None:
    """It ends by itself then, even if it was frozen."""
    if worker.process.poll() is None:
        worker.process.send_signal(signal.SIGCONT)
        worker.process.terminate()


def events_of(trips: TripColumns, *, minutes: int = 10) -> tuple[list[TripStarted], list[TripCompleted]]:
    """A start and a completion of each trip, `minutes` long."""
    started, completed = [], []
    for row in range(len(trips)):
        pickup_at = _aware(trips.pickup_at[row])
        started.append(
            TripStarted(
                trips.trip_id[row],
                int(trips.vendor_id[row]),
                int(trips.passenger_count[row]),
                pickup_at,
                Point(float(trips.pickup_latitude[row]), float(trips.pickup_longitude[row])),
                Point(float(trips.dropoff_latitude[row]), float(trips.dropoff_longitude[row])),
            )
        )
        completed.append(TripCompleted(trips.trip_id[row], pickup_at, pickup_at + timedelta(minutes=minutes)))
    return started, completed


def _aware(moment: Any) -> datetime:
    naive: datetime = moment.astype("datetime64[us]").item()
    return naive.replace(tzinfo=UTC)


@asynccontextmanager
async def world_of(
    kafka: str, database: str, prefix: str, folder: Path, *, partitions: int = PARTITIONS
) -> AsyncIterator[World]:
    """A world with its topics; its workers are ended afterwards."""
    world = World(kafka, database, prefix, folder, [], partitions)
    await world.prepare()
    try:
        yield world
    finally:
        for worker in world.started:  # all at once, and then one by one
            tell_to_stop(worker)
        for worker in world.started:
            stop(worker)
