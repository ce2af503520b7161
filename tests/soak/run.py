"""One soak from an empty folder to its verdict."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import structlog

from cli.embedded.ports import HOST
from tests.chaos.checker_sql import violations_in_sql
from tests.running import until
from tests.serving import TRIP
from tests.soak.faults import Happened, happen, schedule
from tests.soak.feed import Feed
from tests.soak.memory import FLAT_MIB_PER_HOUR, MOST_LIFTED_MIB, Memory
from tests.soak.system import System, running

log = structlog.get_logger("tripcast.soak")

LOOK_SECONDS = 5.0
ASKED_PER_SECOND = 10.0
SETTLING_SECONDS = 60.0  # after a fault: memory of this time says nothing of a leak
CATCH_UP_SECONDS = 180.0
DRAIN_SECONDS = 600.0
STORED = "select coalesce(sum(next_offset - start_offset), 0) from stream_offsets"


@dataclass(frozen=True, slots=True)
class Options:
    """What was asked for."""

    minutes: float
    rate: float
    seed: int

    @property
    def warm_up_seconds(self) -> float:
        """Of each process: five minutes, or a sixth of a short soak."""
        return min(300.0, self.minutes * 60 / 6)


async def soak(options: Options, folder: Path) -> dict[str, Any]:
    """The results; `held` says whether nothing was lost, doubled or changed and no role's memory grew."""
    memory = Memory(options.warm_up_seconds)
    journal = folder / "journal.tsv"
    async with running(folder) as system:
        with journal.open("w") as file:
            feed = Feed(system.world.kafka, "trip-events", file, options.rate, options.seed)
            faults = await _live(options, system, feed, memory)
        began = time.monotonic()
        await system.world.drained(DRAIN_SECONDS)
        drained = time.monotonic() - began
        found = await _judged(system, journal, feed)
        letters = await system.world.count("dead_letters")
        alive = [name for name, role in system.roles.items() if role.process.poll() is None]
    return _results(options, feed, faults, memory, found) | {
        "dead_letters": letters,
        "drained_s": round(drained, 1),
        "roles_alive_at_the_end": alive,
    }


async def _live(options: Options, system: System, feed: Feed, memory: Memory) -> list[Happened]:
    began, happened = time.monotonic(), list[Happened]()
    async with _beside(feed.run()) as sending, _beside(_ask(system)), _beside(_look(system, memory, began)):
        for planned in schedule(options.minutes * 60, options.seed):
            happened.append(await happen(planned, system, began, lambda: _caught_up(system, feed)))
            log.info("fault", **asdict(happened[-1]))
            memory.disturbed.append((happened[-1].at, time.monotonic() - began + SETTLING_SECONDS))
        await asyncio.sleep(max(0.0, began + options.minutes * 60 - time.monotonic()))
        feed.stopped = True
        await sending
    return happened


@asynccontextmanager
async def _beside(work: Awaitable[None]) -> AsyncIterator["asyncio.Task[None]"]:
    """Done while the block runs; what it failed of ends the block's soak afterwards."""
    task = asyncio.ensure_future(work)
    try:
        yield task
    finally:
        failed = task.done() and not task.cancelled() and task.exception()
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task if not failed else None
    if failed:
        raise failed


async def _caught_up(system: System, feed: Feed) -> None:
    async def has() -> bool:
        with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return bool((await system.world.rows(STORED))[0][0] >= feed.sent - 2 * feed.per_second)
        return False

    await until(has, CATCH_UP_SECONDS)


async def _ask(system: System) -> None:
    """Predictions over HTTP, as far as the API is there."""
    async with httpx.AsyncClient(timeout=5) as client:
        while True:
            with suppress(httpx.TransportError):
                await client.post(f"http://{HOST}:{system.roles['api'].port}/predict", json=TRIP)
            await asyncio.sleep(1 / ASKED_PER_SECOND)


async def _look(system: System, memory: Memory, began: float) -> None:
    while True:
        for name, role in system.roles.items():
            led = name.startswith("worker") and bool(role.events("monitor_leads"))
            memory.look(name, role.process.pid, time.monotonic() - began, led)
        await asyncio.sleep(LOOK_SECONDS)


async def _judged(system: System, journal: Path, feed: Feed) -> dict[str, int]:
    connection = await asyncpg.connect(system.world.database)
    try:
        return await violations_in_sql(journal, connection, unknown=feed.unknown)
    finally:
        await connection.close()


def _results(options: Options, feed: Feed, faults: list[Happened], memory: Memory, found: dict[str, int]) -> dict[str, Any]:
    roles = {role: memory.of(role) for role in sorted({sample.role for sample in memory.samples})}
    lost = sum(count for words, count in found.items() if words.startswith(("lost", "gap", "unpredicted")))
    return {
        **asdict(options),
        "sent": feed.sent,
        "sent_per_second": round(feed.sent / (options.minutes * 60), 1),
        "sent_without_an_answer": feed.unknown,
        "lost": lost,
        "doubled": sum(count for words, count in found.items() if words.startswith("twice")),
        "violations": found,
        "faults": [
            {name: value if name == "kind" else round(value, 1) for name, value in asdict(each).items()} for each in faults
        ],
        "memory": roles,
        "warm_up_s": options.warm_up_seconds,
        "flat_mib_per_hour": FLAT_MIB_PER_HOUR,
        "most_lifted_mib": MOST_LIFTED_MIB,
        "held": not found and all(role["flat"] is not False for role in roles.values()),
    }
