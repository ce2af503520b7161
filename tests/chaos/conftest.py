"""What the chaos tests share: a world of their own topics and database, and a verdict at the end."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import asyncpg
import msgspec
import pytest

from schemas.events import TripPredicted
from tests.chaos.checker import violations
from tests.chaos.journal import Journal
from tests.running import World, world_of

Verdict = Callable[[World, Journal], Awaitable[list[str]]]


@pytest.fixture
async def world(kafka_address: str, database: str, topic_prefix: str, tmp_path: Path) -> AsyncIterator[World]:
    async with world_of(kafka_address, database, topic_prefix, tmp_path) as world:
        yield world


async def verdict(world: World, journal: Journal) -> list[str]:
    """All violations: in the tables, and between the tables and what was published."""
    connection = await asyncpg.connect(world.database)
    try:
        return await violations(journal, connection) + await _published(world, connection)
    finally:
        await connection.close()


async def _published(world: World, connection: asyncpg.Connection) -> list[str]:
    """Every prediction is on Kafka at least once, always with the bytes of its row."""
    copies: dict[str, set[bytes]] = {}
    for record in await world.published():
        copies.setdefault(record.key.decode(), set()).add(record.value)
    rows = {row["trip_id"]: row for row in await connection.fetch("select * from predictions where role = 'champion'")}
    found = [f"unpublished: {trip_id}" for trip_id in rows.keys() - copies.keys()]
    found += [f"published without a row: {trip_id}" for trip_id in copies.keys() - rows.keys()]
    for trip_id, values in copies.items():
        event = msgspec.json.decode(next(iter(values)), type=TripPredicted)
        if len(values) > 1 or (trip_id in rows and event.duration_seconds != rows[trip_id]["duration_seconds"]):
            found.append(f"published otherwise than stored: {trip_id}")
    return found
