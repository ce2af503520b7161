"""Put the batch commands together: the one place of `batch` that names adapters."""

import getpass
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

import structlog

from adapters.kafka.broker import Broker
from adapters.kafka.lifecycle import announce as publish
from adapters.mlflow.registry import Registry
from adapters.mlflow.rest import MlflowRest
from adapters.onnx.local_models import LocalModels
from adapters.postgres.connection.locks import alone
from adapters.postgres.connection.pool import Pool, open_pool
from adapters.postgres.history.predictions import StoredPredictions, served_predictions, stored_predictions
from adapters.postgres.tables.lifecycle import Journal
from batch.settings import BatchSettings
from batch.verify import Verification, Verify
from domain.entities.models import LifecycleEvent, ModelVersion
from domain.errors import BrokerUnreachable
from domain.features import feature_schema
from domain.ports import Announce
from domain.services.approve_training import ApproveTraining
from domain.services.promote_version import PromoteVersion
from domain.services.roll_back import RollBack
from schemas.topics import MODEL_LIFECYCLE

log = structlog.get_logger("tripcast.batch")

ROLE_CHANGES = "roles of model versions"
TRAININGS = "training"


class Source(StrEnum):
    """Who asked for a prediction."""

    STREAM = "stream"
    API = "api"
    ALL = "all"


class SystemClock:
    """Implements `domain.ports.Clock`."""

    def now(self) -> datetime:
        """The current instant."""
        return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Range:
    """Which stored predictions to look at: pickups in [since, until), one version, at most `limit` rows, whose askers."""

    since: datetime | None = None
    until: datetime | None = None
    version: int | None = None
    limit: int | None = None
    source: Source = Source.ALL


def operator() -> str:
    """Who runs this command, for the record."""
    return getpass.getuser()


def registry_of(settings: BatchSettings) -> Registry:
    """The model registry."""
    return Registry(MlflowRest(settings.mlflow, settings.mlflow_seconds), settings.model)


def library_of(settings: BatchSettings) -> LocalModels:
    """The verified copies on this machine, the same that a worker with this data folder uses."""
    return LocalModels(settings.data / "models", feature_schema(settings.clock()))


def list_versions(settings: BatchSettings) -> list[ModelVersion]:
    """All versions, newest first."""
    return registry_of(settings).versions()


async def promote(settings: BatchSettings, version: int, reason: str) -> LifecycleEvent | None:
    """Make a version champion; None when it was already."""
    async with database(settings) as pool, alone(pool, ROLE_CHANGES):
        return await promotion(settings, pool)(version, operator(), reason)


async def roll_back(settings: BatchSettings, reason: str) -> LifecycleEvent:
    """Make the previous champion champion again."""
    async with database(settings) as pool, alone(pool, ROLE_CHANGES):
        return await rolling_back(settings, pool)(operator(), reason)


async def approve(settings: BatchSettings, episode: int, reason: str) -> LifecycleEvent:
    """Let an episode ask for its training; the loop does so at its next full hour of event time. Idempotent."""
    async with database(settings) as pool:
        approved = ApproveTraining(Journal(pool), announcing(settings), SystemClock())
        return await approved(episode, operator(), reason)


async def verify(settings: BatchSettings, wanted: Range, progress: Callable[[int], None]) -> Verification:
    """Make stored predictions again and compare."""
    check = Verify(registry_of(settings), library_of(settings), settings.clock())
    async with database(settings) as pool:
        return await check(stored(pool, wanted), progress)


async def stored(pool: Pool, wanted: Range) -> AsyncIterator[StoredPredictions]:
    """Stored predictions: those of the stream, then those of the API, `limit` in all."""
    remaining = wanted.limit
    for source, read in ((Source.STREAM, stored_predictions), (Source.API, served_predictions)):
        if wanted.source not in {source, Source.ALL}:
            continue
        async for chunk in read(pool, version=wanted.version, since=wanted.since, until=wanted.until, limit=remaining):
            remaining = None if remaining is None else remaining - len(chunk.trips)
            yield chunk


def promotion(settings: BatchSettings, pool: Pool) -> PromoteVersion:
    """The use case, over an open pool."""
    return PromoteVersion(registry_of(settings), library_of(settings), Journal(pool), announcing(settings), SystemClock())


def rolling_back(settings: BatchSettings, pool: Pool) -> RollBack:
    """The use case, over an open pool."""
    return RollBack(registry_of(settings), library_of(settings), Journal(pool), announcing(settings), SystemClock())


def announcing(settings: BatchSettings) -> Announce:
    """Tell the topic. Workers ask the registry every few seconds anyway, so a broker that is down only delays them."""

    async def announce(event: LifecycleEvent) -> None:
        try:
            await publish(Broker.of(settings), f"{settings.topic_prefix}{MODEL_LIFECYCLE.name}", event)
        except BrokerUnreachable as error:
            log.warning("lifecycle_not_announced", kind=event.kind, subject=event.subject, error=str(error))

    return announce


@asynccontextmanager
async def database(settings: BatchSettings) -> AsyncIterator[Pool]:
    """A pool for the length of one command."""
    pool = await open_pool(settings, "tripcast-batch")
    try:
        yield pool
    finally:
        await pool.close()
