"""Runs the stock pattern as a Faust worker, on fewer events: it needs seconds where we need milliseconds."""

import asyncio

from benchmarks.stream.commits import commit_rate
from benchmarks.stream.events import Events, publish
from benchmarks.world import World

DEADLINE_SECONDS = 60
FORGET = "drop table if exists stock_trips, stock_predictions"
STARTS = "select pg_xact_commit_timestamp(xmin), count(*) from stock_predictions group by 1"


def run(world: World, prefix: str, events: Events) -> float:
    """Events per second; each trip is two events, and the rate is taken from the commits of its predictions."""
    asyncio.run(world.fetch(FORGET))
    asyncio.run(_publish(world, prefix, events))
    environment = {
        "BENCH_KAFKA": world.kafka,
        "BENCH_DATABASE": world.database,
        "BENCH_TOPIC": f"{prefix}trip-events",
        "BENCH_OUTPUT": f"{prefix}trip-predictions",
        "BENCH_MODEL": "models:/trip-duration@champion",
        "BENCH_APP": f"{prefix}pattern",
        "BENCH_PARTITIONS": "1",
        "MLFLOW_TRACKING_URI": world.mlflow,
    }
    arguments = ("-m", "benchmarks.stream.stock_faust", "worker", "--loglevel", "warn", "--without-web")
    with world.process("stock.log", *arguments, **environment):
        try:
            asyncio.run(_finished(world, _trips(events)))
        except TimeoutError as error:
            last_words = (world.folder / "stock.log").read_text()[-2000:]
            raise RuntimeError(f"the stock pattern did not finish in {DEADLINE_SECONDS} s: {last_words}") from error
    return 2 * asyncio.run(commit_rate(world, STARTS))


def _trips(events: Events) -> int:
    return sum(b"trip.started" in value for value in events.values)


async def _publish(world: World, prefix: str, events: Events) -> None:
    await world.topics(prefix, partitions=1)
    await publish(world.kafka, f"{prefix}trip-events", events)


async def _finished(world: World, trips: int) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS):
        while await _scored(world) < trips:
            await asyncio.sleep(0.2)


async def _scored(world: World) -> int:
    if (await world.fetch("select to_regclass('stock_predictions')"))[0][0] is None:
        return 0
    return int((await world.fetch("select count(*) from stock_predictions"))[0][0])
