"""A worker that stores what a producer sends, on a PostgreSQL of its own: where an outage begins."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from schemas.events import TripCompleted, TripStarted
from tests.chaos.journal import Journal
from tests.chaos.load import DRAIN_SECONDS, send
from tests.chaos.own_parts import OwnServer, own_postgres
from tests.chaos.progress import passes, readiness
from tests.running import Worker, World, until, world_of


@dataclass(frozen=True, slots=True)
class UnderLoad:
    """What runs; `journal` tells what was sent."""

    database: OwnServer
    world: World
    worker: Worker
    journal: Journal
    sending: "asyncio.Task[None]"

    async def drained(self) -> None:
        """Return when all is sent, and accounted for."""
        await self.sending
        await self.world.drained(DRAIN_SECONDS)


@asynccontextmanager
async def under_load(
    kafka: str, prefix: str, folder: Path, events: Sequence[TripStarted | TripCompleted], *, rate: float, rows: int
) -> AsyncIterator[UnderLoad]:
    """These events at `rate` a second; entered when more than `rows` trips are stored."""
    async with own_postgres(folder) as database, world_of(kafka, database.address, prefix, folder) as world:
        worker, journal = world.start_worker(), Journal()
        await until(lambda: readiness(worker, 200))
        sending = asyncio.create_task(send(kafka, f"{prefix}trip-events", events, journal, rate))
        await until(passes(world, rows))
        yield UnderLoad(database, world, worker, journal, sending)
