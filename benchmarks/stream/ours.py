"""Runs our worker as users run it, on rows emptied before each round."""

import asyncio
import urllib.request
from dataclasses import dataclass

import psutil
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from adapters.kafka.broker import Broker
from adapters.kafka.topics import end_offsets
from benchmarks.stream.commits import commit_rate
from benchmarks.world import World
from cli.embedded.ports import HOST, free_ports

DEADLINE_SECONDS = 120
EMPTY = """truncate predictions, completions, trips, dead_letters, skipped_records, stream_suspects, stream_offsets,
    event_sources restart identity cascade"""
COMMITS = (
    "select pg_xact_commit_timestamp(xmin), count(*) from trips where source_id is not null group by 1",
    "select pg_xact_commit_timestamp(xmin), count(*) from completions where source_id is not null group by 1",
)


@dataclass(frozen=True, slots=True)
class Measured:
    """One round: events per second, resident memory at its end, and what it counts: seconds by stage, trips shadowed."""

    rate: float
    rss_mb: float
    stages: dict[str, float]
    shadowed: int


def run(world: World, prefix: str) -> Measured:
    """Read the whole topic once."""
    asyncio.run(empty(world))
    port = free_ports(1)[0]
    with world.process(
        "worker.log", "-m", "cli", "worker", TRIPCAST_TOPIC_PREFIX=prefix, TRIPCAST_WORKER_PORT=str(port)
    ) as process:
        asyncio.run(drained(world, prefix))
        rss = psutil.Process(process.pid).memory_info().rss / 1e6
        found = samples(port)
    stages = {each.labels["stage"]: round(each.value, 3) for each in found if each.name == "tripcast_stage_seconds_total"}
    shadowed = sum(int(each.value) for each in found if each.name == "tripcast_shadowed_total")
    return Measured(asyncio.run(commit_rate(world, *COMMITS)), rss, stages, shadowed)


async def empty(world: World) -> None:
    """Forget all trips and positions, but not the models; level the ground for whoever comes next."""
    await world.fetch(EMPTY)
    await world.fetch("vacuum")


async def drained(world: World, prefix: str) -> None:
    """Wait until every event of the topic is accounted for."""
    total = sum((await end_offsets(Broker(world.kafka), f"{prefix}trip-events")).values())
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (await world.fetch("select coalesce(sum(next_offset), 0) from stream_offsets"))[0][0] < total:
            await asyncio.sleep(0.2)


def samples(port: int) -> list[Sample]:
    """What a worker's metrics say now. Raises OSError while it does not listen."""
    with urllib.request.urlopen(f"http://{HOST}:{port}/metrics", timeout=5) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    return [sample for family in families for sample in family.samples]
