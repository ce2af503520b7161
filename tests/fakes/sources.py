"""What the sampler looks at, told by a test: the database, the broker, workers, and where minutes are kept."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from prometheus_client import generate_latest

from api.checks import Checks
from api.reads.memory import Keeper
from api.reads.sampler import Sampler, Sources
from domain.entities.service import ServiceMinute, StoredStream, TopicEnds
from domain.entities.streams import StreamSource
from domain.errors import BrokerUnreachable, DatabaseUnreachable, Unreachable
from stream.metrics import Metrics

BEGAN = datetime(2026, 11, 1, 12, 0, 0, tzinfo=UTC)
WORKER = "http://worker"
TOPIC = StreamSource("cluster", "trip-events", uuid.UUID(int=1))


@dataclass
class World:
    """Time stands still unless `after` moves it; everything is up unless a test takes it down."""

    now: datetime = BEGAN
    database: bool = True
    broker: bool = True
    worker: bool = True
    workers: list[str] = field(default_factory=lambda: [WORKER])
    requests: float = 0.0
    ends: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 0})
    stored: dict[int, int] = field(default_factory=lambda: {0: 0, 1: 0})
    newest: datetime | None = None
    topic: StreamSource = TOPIC
    stored_topic: uuid.UUID = TOPIC.topic_uuid
    moved_at: datetime | None = None
    metrics: Metrics = field(default_factory=Metrics)  # of the first worker
    others: dict[str, Metrics] = field(default_factory=dict)  # of further ones, by address
    minutes: list[ServiceMinute] = field(default_factory=list)
    written: int = 0

    def sampler(self, checks: Checks | None = None) -> Sampler:
        sources = Sources(self._stored, self._ends, self._places, self._metrics, lambda: self.requests)
        return Sampler(sources, Keeper(self._load, self._keep), checks or Checks(lambda: self.now), lambda: self.now)

    async def after(self, seconds: float, sampler: Sampler, ticks: int = 1) -> None:
        """Let time pass, and the sampler look `ticks` times in it, the last time at its end."""
        for _ in range(ticks):
            self.now += timedelta(seconds=seconds / ticks)
            await sampler.tick()

    def produce(self, events: int, partition: int = 0) -> None:
        self.ends = {**self.ends, partition: self.ends[partition] + events}

    def store(self, events: int, partition: int = 0) -> None:
        """The worker has written so many more events, and counts them."""
        self.stored = {**self.stored, partition: self.stored[partition] + events}
        self.moved_at = self.now
        self.metrics._scored.inc(events)

    def restart_worker(self) -> None:
        self.metrics = Metrics()

    async def _stored(self) -> StoredStream | None:
        if not self.database:
            raise DatabaseUnreachable("PostgreSQL: away")
        return StoredStream(1, self.stored_topic, self.stored, self.stored, self.moved_at, self.newest)

    async def _ends(self) -> TopicEnds:
        if not self.broker:
            raise BrokerUnreachable("Kafka: away")
        return TopicEnds(self.topic, dict.fromkeys(self.ends, 0), self.ends)

    async def _places(self) -> Sequence[str]:
        return self.workers

    async def _metrics(self, worker: str) -> str:
        if not self.worker:
            raise Unreachable("worker: away")
        return generate_latest(self.others.get(worker, self.metrics).registry).decode()

    async def _load(self, since: datetime) -> Sequence[ServiceMinute]:
        if not self.database:
            raise DatabaseUnreachable("PostgreSQL: away")
        return [replace(minute) for minute in self.minutes if minute.minute >= since]

    async def _keep(self, minute: ServiceMinute) -> None:
        if not self.database:
            raise DatabaseUnreachable("PostgreSQL: away")
        self.written += 1
        self.minutes = [each for each in self.minutes if each.minute != minute.minute] + [minute]
