"""Workers that share the partitions and are frozen until a backlog is there, so that all of them begin at one moment."""

import asyncio
import os
import signal
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from benchmarks.stream.commits import commit_rate
from benchmarks.stream.events import Events, publish
from benchmarks.stream.ours import COMMITS, drained, empty, samples
from benchmarks.world import PARTITIONS, World
from cli.embedded.ports import free_ports

DEADLINE_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker's process, and the port of its metrics."""

    pid: int
    port: int


def rate_of(world: World, prefix: str, workers: int, events: Events) -> float:
    """Events per second that so many workers commit together, from a topic that is empty until they have its partitions."""
    asyncio.run(empty(world))
    asyncio.run(world.topics(prefix))
    with running(world, prefix, workers) as started:
        asyncio.run(_shared(started))
        _signal(started, signal.SIGSTOP)  # for less than their session lasts: nobody notices
        try:
            asyncio.run(publish(world.kafka, f"{prefix}trip-events", events))
        finally:
            _signal(started, signal.SIGCONT)
        asyncio.run(drained(world, prefix))
    return asyncio.run(commit_rate(world, *COMMITS))


@contextmanager
def running(world: World, prefix: str, workers: int) -> Iterator[list[Worker]]:
    """So many workers while the block runs."""
    with ExitStack() as stack:
        found = []
        for number, port in enumerate(free_ports(workers)):
            settings = {"TRIPCAST_TOPIC_PREFIX": prefix, "TRIPCAST_WORKER_PORT": str(port)}
            process = stack.enter_context(world.process(f"{prefix}worker-{number}.log", "-m", "cli", "worker", **settings))
            found.append(Worker(process.pid, port))
        yield found


async def _shared(workers: Sequence[Worker]) -> None:
    """Wait until every partition has one reader, and no reader more than its part."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not evenly([_partitions(worker) for worker in workers]):
            await asyncio.sleep(0.2)


def evenly(read: Sequence[set[int]]) -> bool:
    """Whether all partitions are read, each by one, and by nobody more than one partition more than by another."""
    sizes = sorted(map(len, read))
    return set().union(*read) == set(range(PARTITIONS)) and sum(sizes) == PARTITIONS and sizes[-1] - sizes[0] <= 1


def _partitions(worker: Worker) -> set[int]:
    try:
        found = samples(worker.port)
    except OSError:  # it does not listen yet
        return set()
    return {int(each.labels["partition"]) for each in found if each.name == "tripcast_lag_events"}


def _signal(workers: Sequence[Worker], number: signal.Signals) -> None:
    for worker in workers:
        os.kill(worker.pid, number)
