"""The composition root of the trip sources."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from adapters.environment.logs import configure
from adapters.environment.settings import CitySettings, Settings
from adapters.files.trip_files import TripFile, open_trip_file
from adapters.files.zones import read_zones
from adapters.kafka.producer import RecordProducer
from adapters.kafka.trip_encoder import encode_completed, encode_started
from adapters.postgres.connection import open_pool
from adapters.postgres.history import History
from adapters.postgres.migrate import check_schema
from batch.load import LoadFiles, Progress
from cli.sources.pace import Waiting
from cli.sources.replay import Publish, ReplayTrips
from cli.sources.settings import HistorySettings, SourceSettings
from domain.entities.trips import CompletionColumns, TripColumns
from schemas.topics import TRIP_EVENTS


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
    return open_trip_file(path, settings.clock(), settings.rules(), read_zones(zones) if zones else None)


@asynccontextmanager
async def trip_events(settings: SourceSettings) -> AsyncIterator[Publish]:
    """Publishing to the trip events topic. Raises BrokerUnreachable."""
    topic = settings.topic_prefix + TRIP_EVENTS.name
    async with RecordProducer(settings.kafka) as producer:

        async def publish(keys: list[bytes], values: list[bytes]) -> None:
            await producer.publish(topic, keys, values)

        yield publish


@asynccontextmanager
async def history_loader(settings: HistorySettings, progress: Progress) -> AsyncIterator[LoadFiles]:
    """Loading into the database. Raises DatabaseUnreachable, and SchemaMismatch when it is not migrated."""
    pool = await open_pool(settings, "tripcast-load")
    try:
        await check_schema(pool)
        yield LoadFiles(History(pool), wall_now, time.monotonic, progress)
    finally:
        await pool.close()


def create_replay(publish: Publish, waiting: Waiting, remember: Callable[[int], None], speed: float) -> ReplayTrips:
    """The replay of a file."""
    return ReplayTrips(publish, JsonEvents(), waiting, remember, speed)


def configure_logs(settings: Settings) -> None:
    """Let libraries' warnings out in our format."""
    configure(settings)


def wall_now() -> datetime:
    """The current instant."""
    return datetime.now(UTC)
