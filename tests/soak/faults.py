"""The faults of a soak, and when each happens: the same for the same seed."""

import asyncio
import random
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.soak.system import System

QUIET_SHARE = 0.1  # of the whole, before the first fault
MINUTES_A_ROUND = 30


@dataclass(frozen=True, slots=True)
class Planned:
    """A fault and when it begins, in seconds since the start."""

    kind: str
    at: float


async def kill_worker(system: System) -> None:
    system.kill("worker-1")
    system.start("worker-1")


async def freeze_worker(system: System) -> None:
    system.roles["worker-2"].signal(signal.SIGSTOP)
    await asyncio.sleep(15)
    system.roles["worker-2"].signal(signal.SIGCONT)


async def restart_database(system: System) -> None:
    await asyncio.to_thread(system.postgres.kill)
    await asyncio.sleep(5)
    await asyncio.to_thread(system.postgres.start)


async def restart_broker(system: System) -> None:
    await asyncio.to_thread(system.kafka.kill)
    await asyncio.sleep(5)
    await asyncio.to_thread(system.kafka.start)


async def registry_down(system: System) -> None:
    system.mlflow.signal(signal.SIGKILL)
    await asyncio.sleep(15)
    await asyncio.to_thread(system.mlflow.start)


async def kill_api(system: System) -> None:
    system.kill("api")
    system.start("api")


async def slow_network(system: System) -> None:
    await system.network.slow(0.05)
    await asyncio.sleep(10)
    await system.network.heal()


async def cut_network(system: System) -> None:
    await system.network.cut()
    await asyncio.sleep(5)
    await system.network.heal()


FAULTS: dict[str, Callable[[System], Awaitable[None]]] = {
    "worker killed": kill_worker,
    "worker frozen for 15 s": freeze_worker,
    "PostgreSQL killed, 5 s away": restart_database,
    "broker killed, 5 s away": restart_broker,
    "MLflow killed, 15 s away": registry_down,
    "API killed": kill_api,
    "10 s of 50 ms on each way to the database": slow_network,
    "way to the database cut for 5 s": cut_network,
}


def schedule(seconds: float, seed: int) -> list[Planned]:
    """Each kind as often as any other, in a random order, evenly spread with a random delay; the last tenth is quiet again."""
    chance = random.Random(seed)  # noqa: S311 - a reproducible schedule
    kinds: list[str] = []
    for _ in range(max(1, round(seconds / 60 / MINUTES_A_ROUND))):
        kinds += chance.sample(sorted(FAULTS), len(FAULTS))
    first, between = seconds * QUIET_SHARE, seconds * (1 - 2 * QUIET_SHARE) / len(kinds)
    return [Planned(kind, first + (number + chance.uniform(0, 0.3)) * between) for number, kind in enumerate(kinds)]


@dataclass(frozen=True, slots=True)
class Happened:
    """One fault: when it began and ended, and how long after that the workers had caught up; seconds."""

    kind: str
    at: float
    lasted: float
    caught_up: float


async def happen(planned: Planned, system: System, began: float, caught_up: Callable[[], Awaitable[None]]) -> Happened:
    """Wait for its time, do it, and wait until nothing is left behind."""
    await asyncio.sleep(max(0.0, began + planned.at - time.monotonic()))
    at = time.monotonic()
    await FAULTS[planned.kind](system)
    healed = time.monotonic()
    await caught_up()
    return Happened(planned.kind, at - began, healed - at, time.monotonic() - healed)
