"""The composition root of the trip sources."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapters.environment.logs import configure
from adapters.environment.settings import CitySettings, Settings
from adapters.files.own_layouts import read_layout
from adapters.files.policies import read_policy
from adapters.files.trip_files import TripFile, open_trip_file
from adapters.files.zones import read_zones
from adapters.kafka.broker import Broker
from adapters.kafka.producer import RecordProducer
from adapters.kafka.topics import end_offsets, topic_source
from adapters.kafka.trip_encoder import encode_completed, encode_started
from adapters.mlflow.registry import Registry
from adapters.mlflow.rest import MlflowRest
from adapters.postgres.admin.migrate import check_schema
from adapters.postgres.connection.pool import Pool, open_pool
from adapters.postgres.history.trips import History
from adapters.postgres.loop.progress import loop_progress
from batch.load import LoadFiles, Progress
from cli.sources.lockstep import Lockstep, Pair
from cli.sources.pace import UntilSignal, Waiting
from cli.sources.replay import Publish, ReplayTrips, Turns
from cli.sources.settings import HistorySettings, LockstepSettings, SourceSettings
from cli.sources.traces import Tracing
from cli.stack.worker_metrics import scrape
from domain.entities.models import Alias
from domain.entities.progress import LoopProgress
from domain.entities.trips import CompletionColumns, TripColumns
from schemas.topics import TRIP_EVENTS

STOP_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class JsonEvents:
    """Trips as our JSON events."""

    def started(self, trips: TripColumns) -> list[bytes]:
        """The event of each trip's start."""
        return encode_started(trips)

    def completed(self, trips: CompletionColumns) -> list[bytes]:
        """The event of each trip's end."""
        return encode_completed(trips)


def open_file(settings: CitySettings, path: Path, zones: Path | None) -> TripFile:
    """Open a trips file. Raises InvalidInput or WrongColumns."""
    centroids, own = read_zones(zones) if zones else None, read_layout(settings.trip_columns)
    return open_trip_file(path, settings.clock(), settings.rules(), centroids, own)


@asynccontextmanager
async def trip_events(settings: SourceSettings, traced: float, waiting: UntilSignal) -> AsyncIterator[Publish]:
    """Publishing to the trip events topic; that share of the trips is traced. Raises BrokerUnreachable.

    A broker that is silent when somebody asks to stop has a few seconds more.
    """
    tracing, producer = Tracing(traced), RecordProducer(Broker.of(settings))
    topic = settings.topic_prefix + TRIP_EVENTS.name

    async def publish(keys: list[bytes], values: list[bytes]) -> None:
        await producer.publish(topic, keys, values, tracing.headers(values))

    async def hurry() -> None:
        await waiting.asked()
        producer.hurry(STOP_SECONDS)

    hurrying = asyncio.create_task(hurry())
    try:
        async with producer:
            yield publish
    finally:
        hurrying.cancel()


@asynccontextmanager
async def history_loader(settings: HistorySettings, progress: Progress) -> AsyncIterator[LoadFiles]:
    """Loading into the database. Raises DatabaseUnreachable, and SchemaMismatch when it is not migrated."""
    pool = await open_pool(settings, "tripcast-load")
    try:
        await check_schema(pool)
        yield LoadFiles(History(pool), wall_now, time.monotonic, progress)
    finally:
        await pool.close()


def create_replay(
    publish: Publish, waiting: Waiting, remember: Callable[[int], None], speed: float, turns: Turns | None = None
) -> ReplayTrips:
    """The replay of a file."""
    return ReplayTrips(publish, JsonEvents(), waiting, remember, speed, turns)


@dataclass(frozen=True, slots=True)
class RunningService:
    """Implements `cli.sources.lockstep.Service`."""

    settings: LockstepSettings
    pool: Pool
    registry: Registry

    @property
    def _topic(self) -> str:
        return self.settings.topic_prefix + TRIP_EVENTS.name

    async def ends(self) -> Mapping[int, int]:
        """The end offset of each partition of the trip events."""
        return await end_offsets(Broker.of(self.settings), self._topic)

    async def progress(self) -> LoopProgress:
        """How far the closed loop is."""
        return await loop_progress(self.pool, await topic_source(Broker.of(self.settings), self._topic))

    async def registered(self) -> Pair:
        """Who is champion and who challenger by the registry."""
        found = [await asyncio.to_thread(self.registry.resolve, alias) for alias in (Alias.CHAMPION, Alias.CHALLENGER)]
        champion, challenger = (version.version if version else None for version in found)
        return champion, challenger

    async def served(self) -> Sequence[Pair | None]:
        """What each worker scores with."""
        addresses = [address.strip() for address in self.settings.workers.split(",")]
        readings = [await asyncio.to_thread(scrape, address) for address in addresses]
        return [(reading.champion, reading.challenger) if reading else None for reading in readings]


@asynccontextmanager
async def lockstep(waiting: Waiting, say: Callable[[str], None]) -> AsyncIterator[Turns]:
    """Turns that the service has to deal with. Raises DatabaseUnreachable, and InvalidInput for a policy that is none."""
    settings = LockstepSettings.read()
    timing = read_policy(settings.policy).time
    pool = await open_pool(settings, "tripcast-replay")
    try:
        registry = Registry(MlflowRest(settings.mlflow, settings.mlflow_seconds), settings.model)
        wait = Lockstep(RunningService(settings, pool, registry), timing, waiting, say)
        yield Turns(timing.turnaround_minutes, wait)
    finally:
        await pool.close()


def configure_logs(settings: Settings) -> None:
    """Let libraries' warnings out in our format."""
    configure(settings)


def wall_now() -> datetime:
    """The current instant."""
    return datetime.now(UTC)
