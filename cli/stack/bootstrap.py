"""The local stack's composition root: the only module here that reaches for the database, the broker and the proofs."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict
from typing import Any

from pydantic import SecretStr

from adapters.environment.settings import KafkaSettings, PostgresSettings
from adapters.kafka.broker import Broker
from adapters.kafka.topics import end_offsets, topic_source
from adapters.postgres.admin.totals import totals
from adapters.postgres.connection.pool import Pool, open_pool
from adapters.postgres.stream.store import Streams
from adapters.postgres.tables.lifecycle import lifecycle_events_after
from cli.stack.addresses import Addresses
from cli.stack.live import Error
from cli.stack.once import Progress, behind
from domain.entities.api_keys import NewKey
from domain.entities.models import LifecycleEvent
from domain.errors import DatabaseUnreachable, SchemaMismatch, Unreachable

KEY_SECONDS = 60.0


def mature_error(addresses: Addresses) -> Error | None:
    """The error of mature trips; None when there are none yet, or the database does not answer."""
    try:
        return asyncio.run(_mature_error(addresses))
    except Unreachable:
        return None


def lifecycle_news(addresses: Addresses, after: int | None) -> tuple[int, Sequence[LifecycleEvent]] | None:
    """The lifecycle events after that one and the number of the last; without a number none but the number. None: no answer."""
    try:
        return asyncio.run(_lifecycle_news(addresses, after))
    except (Unreachable, SchemaMismatch):
        return None


def progress(addresses: Addresses) -> Progress | None:
    """How far the worker is behind the broker; None when either does not answer."""
    try:
        return asyncio.run(_progress(addresses))
    except Unreachable:
        return None


def counts(addresses: Addresses) -> dict[str, Any]:
    """How much of everything the database holds. Raises DatabaseUnreachable."""
    return asyncio.run(_counts(addresses))


def keep_operator_key(addresses: Addresses, key: NewKey) -> None:
    """Let this key in at the API, as an operator's. Idempotent; waits for a database that is away for a moment.

    Raises DatabaseUnreachable when it stays away.
    """
    deadline = time.monotonic() + KEY_SECONDS
    while True:
        try:
            return asyncio.run(_keep_operator_key(addresses, key))
        except DatabaseUnreachable:
            if time.monotonic() > deadline:
                raise
            time.sleep(1.0)


async def _keep_operator_key(addresses: Addresses, key: NewKey) -> None:
    from adapters.postgres.api.keys import ApiKeys  # noqa: PLC0415 - needed once a start

    async with _pool(addresses) as pool:
        await ApiKeys(pool).add(key, name="operator of the local stack", operator=True)


async def _mature_error(addresses: Addresses) -> Error | None:
    from adapters.postgres.api.quality import mature_error as measure  # noqa: PLC0415

    async with _pool(addresses) as pool:
        found = await measure(pool)
    return None if found is None else Error(found.mae_minutes, found.trips)


async def _lifecycle_news(addresses: Addresses, after: int | None) -> tuple[int, Sequence[LifecycleEvent]]:
    async with _pool(addresses) as pool:
        return await lifecycle_events_after(pool, after)


async def _progress(addresses: Addresses) -> Progress:
    broker = Broker.of(KafkaSettings.read(kafka=addresses.kafka))
    source = await topic_source(broker, addresses.events_topic)
    ends = await end_offsets(broker, addresses.events_topic)
    async with _pool(addresses) as pool:
        streams = Streams(pool)
        positions = await streams.positions(await streams.register(source), list(ends))
    return Progress(
        behind=behind(positions, ends),
        unpublished=sum(position.next_offset - position.published_offset for position in positions.values()),
        events=sum(position.next_offset - position.start_offset for position in positions.values()),
    )


async def _counts(addresses: Addresses) -> dict[str, Any]:
    async with _pool(addresses) as pool:
        return asdict(await totals(pool))


@asynccontextmanager
async def _pool(addresses: Addresses) -> AsyncIterator[Pool]:
    settings = PostgresSettings.read(database=SecretStr(addresses.database), database_pool=1)
    pool = await open_pool(settings, application="tripcast-up")
    try:
        yield pool
    finally:
        await pool.close()
