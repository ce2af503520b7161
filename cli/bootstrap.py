"""The composition root of the commands that migrate, prove and repair."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from pathlib import Path

from adapters.environment.settings import PolicySettings, PostgresSettings
from adapters.files.policies import read_policy
from adapters.kafka.broker import Broker
from adapters.kafka.replaying import replaying
from adapters.kafka.topics import ensure_topics
from adapters.postgres.admin.dead_letters import DeadLetters, Publish
from adapters.postgres.admin.migrate import REVISION, check_schema, migrate
from adapters.postgres.api.keys import ApiKeys
from adapters.postgres.api.quality import Quality
from adapters.postgres.api.story import story
from adapters.postgres.connection.pool import Pool, open_pool
from adapters.postgres.connection.security import password_source
from adapters.postgres.history.rejected_rows import rejected_rows
from cli.settings import OperatorSettings, QualitySettings
from domain.areas import AreaGrid
from domain.entities.cohorts import By, QualityReport
from domain.entities.files import LoadedRow
from domain.entities.rejections import Reason
from domain.entities.story import Story
from domain.policy import Policy
from schemas.topics import TRIP_EVENTS


def policy_in_force(file: Path | None) -> Policy:
    """The policy in a file, else that of the settings. Raises InvalidInput that says what is wrong with it."""
    return read_policy(file or PolicySettings.read().policy)


def migrate_database(settings: OperatorSettings) -> str:
    """Create or upgrade the tables; returns their revision. Raises DatabaseUnreachable, SchemaMismatch, ConcurrentUpdate."""
    migrate(settings.dsn(), password_source(settings, settings.dsn()))
    return REVISION


async def create_topics(settings: OperatorSettings) -> list[str]:
    """Create the topics that are missing; returns their names. Raises BrokerUnreachable, InvalidInput."""
    _quieten_aiokafka()
    return await ensure_topics(settings)


async def quality(settings: QualitySettings, by: By, since: datetime | None, until: datetime | None) -> QualityReport:
    """How wrong predictions turned out. Raises DatabaseUnreachable, SchemaMismatch, InvalidInput."""
    maturity = timedelta(minutes=read_policy(settings.policy).time.maturity_minutes)
    async with _database(settings, "tripcast-quality") as pool:
        return await Quality(pool, settings.clock(), AreaGrid(settings.rules().area), maturity)(by, since, until)


async def history(settings: OperatorSettings, at: datetime, subject: str | None, limit: int) -> Story:
    """What had happened to models up to then. Raises DatabaseUnreachable, SchemaMismatch."""
    async with _database(settings, "tripcast-history") as pool:
        return await story(pool, at, subject, limit)


@asynccontextmanager
async def dead_letters(settings: OperatorSettings) -> AsyncIterator[DeadLetters]:
    """The stored dead letters. Raises DatabaseUnreachable, SchemaMismatch."""
    async with _database(settings, "tripcast-dead-letters") as pool:
        yield DeadLetters(pool)


async def refused_rows(settings: OperatorSettings, reason: Reason | None, limit: int) -> list[LoadedRow]:
    """Rows of trip files that were refused. Raises DatabaseUnreachable, SchemaMismatch."""
    async with _database(settings, "tripcast-dead-letters") as pool:
        return await rejected_rows(pool, reason, limit)


@asynccontextmanager
async def api_keys(settings: OperatorSettings) -> AsyncIterator[ApiKeys]:
    """The keys of the API. Raises DatabaseUnreachable, SchemaMismatch."""
    async with _database(settings, "tripcast-keys") as pool:
        yield ApiKeys(pool)


@asynccontextmanager
async def republishing(settings: OperatorSettings) -> AsyncIterator[Publish]:
    """Publishing dead letters to the trip events topic again, byte for byte. Raises BrokerUnreachable."""
    async with replaying(Broker.of(settings), settings.topic_prefix + TRIP_EVENTS.name) as publish:
        yield publish


def _quieten_aiokafka() -> None:
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # what it complains of reaches the user as our error


@asynccontextmanager
async def _database(settings: PostgresSettings, application: str) -> AsyncIterator[Pool]:
    pool = await open_pool(settings, application)
    try:
        await check_schema(pool)
        yield pool
    finally:
        await pool.close()
