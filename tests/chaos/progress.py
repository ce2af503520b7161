"""Whether a worker gets on, as its rows, its health and its metrics tell."""

import asyncio
from collections.abc import Awaitable, Callable

import asyncpg

from tests.running import Worker, World


def passes(world: World, rows: int) -> Callable[[], Awaitable[bool]]:
    """More trips than that are stored; a database that does not answer has none."""

    async def holds() -> bool:
        try:
            return await world.count("trips") > rows
        except (OSError, asyncpg.PostgresError):
            return False

    return holds


async def readiness(worker: Worker, status: int) -> bool:
    """Whether /readyz answers with this status."""
    return (await asyncio.to_thread(worker.health, "readyz"))[0] == status


async def lag_of(worker: Worker) -> float:
    """Events that wait in the topic, as the worker counts them."""
    return await asyncio.to_thread(worker.metric, "tripcast_lag_events")
