"""What a long history costs: the worker's throughput and latency with none, one million and ten million trips stored."""

import asyncio
import statistics
import time
import uuid
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from adapters.environment.settings import PostgresSettings
from adapters.kafka.broker import Broker
from adapters.kafka.producer import RecordProducer
from adapters.kafka.topics import end_offsets
from adapters.postgres.api.latest_trips import LatestRows
from adapters.postgres.connection.pool import open_pool
from adapters.postgres.history.trip_samples import trip_sample
from benchmarks.api.servers import our_api
from benchmarks.scale.stored import store
from benchmarks.stream import bare
from benchmarks.stream.commits import commit_rate
from benchmarks.stream.events import Events, city_trips, in_order, publish
from benchmarks.stream.latency import percentiles, send
from benchmarks.world import PARTITIONS, World
from cli.embedded.ports import free_ports
from domain.areas import AreaGrid

LEVELS = {"empty": 0, "1m": 1_000_000, "10m": 10_000_000}
TRIPS = 60_000  # of a round
MOST_ROUNDS = 2
WARM_UP = "history-warm-up-"
RATE, WARM_UP_SECONDS, PACED_SECONDS = 1_000, 3, 8
DEADLINE_SECONDS = 120
OF_TOPIC = "source_id = (select source_id from event_sources where topic = '{topic}')"
COMMITS = tuple(
    "select pg_xact_commit_timestamp(xmin), count(*) from " + table + " where " + OF_TOPIC + " group by 1"
    for table in ("trips", "completions")
)
ROWS = f"""
select trip_id, extract(epoch from pg_xact_commit_timestamp(xmin))::float8, 'trip.started' from trips where {OF_TOPIC}
union all
select trip_id, extract(epoch from pg_xact_commit_timestamp(xmin))::float8, 'trip.completed' from completions where {OF_TOPIC}
"""
STORED = "select coalesce(sum(next_offset), 0) from stream_offsets join event_sources using (source_id) where topic = $1"


def measured(world: World, rounds: int, say: Any) -> tuple[dict[str, float], dict[str, Any]]:
    """Figures and details; the world has a champion. Each rate is taken as a share of the bare loop's, right before it.

    The bare loop has tables of its own, which stay as small as they are: what remains is what history costs.
    """
    [model] = sorted((world.folder / "data" / "models").glob("*/model.onnx"))[-1:]
    prefixes = [f"history-{number}-" for number in range(min(rounds, MOST_ROUNDS))]
    for number, prefix in enumerate([WARM_UP, *prefixes]):
        asyncio.run(_publish(world, prefix, city_events_of_random_ids(TRIPS, seed=20 + number)))
    levels, board = {}, {}
    for name, trips in LEVELS.items():
        began = time.monotonic()
        asyncio.run(store(world, trips))
        say(f"{trips:,} trips stored in {time.monotonic() - began:.0f} s")
        levels[name] = _level(world, name, prefixes, model)
        say(f"  {levels[name]}")
        if name == "10m":
            board = asyncio.run(_board(world)) | {"snapshot_seconds_at_10m": _snapshot_seconds(world)}
            say(f"  {board}")
    return concluded(levels, board)


def concluded(levels: dict[str, dict[str, Any]], board: dict[str, float]) -> tuple[dict[str, float], dict[str, Any]]:
    """Ratios to the empty database, round by round."""
    empty = levels["empty"]["shares"]
    found = {
        f"at_{name}_rows": statistics.median(own / first for own, first in zip(level["shares"], empty, strict=True))
        for name, level in levels.items()
        if name != "empty"
    }
    found |= {f"p99_ms_at_1000_with_{name}_rows": level["p99"] for name, level in levels.items()}
    return found | board, {"history": levels}


def city_events_of_random_ids(trips: int, seed: int) -> Events:
    """The simulated city numbers its trips, so that their keys lie side by side; a real city's do not."""
    started, completed = city_trips(trips, seed)
    random = np.random.default_rng(seed)
    ids = np.array([uuid.UUID(bytes=random.bytes(16)).hex for _ in range(len(started))], dtype=object)
    return in_order(replace(started, trip_id=ids), replace(completed, trip_id=ids))


async def _publish(world: World, prefix: str, events: Events) -> None:
    await world.topics(prefix)
    await publish(world.kafka, f"{prefix}trip-events", events)


def _level(world: World, name: str, prefixes: list[str], model: Path) -> dict[str, Any]:
    first = _rate(
        world, WARM_UP
    )  # the first touch of a page after a checkpoint writes all of it; a running worker has done that
    rates, shares = [], []
    for prefix in prefixes:
        loop = bare.run(world, f"{prefix}trip-events", model)
        rates.append(_rate(world, prefix))
        shares.append(rates[-1] / loop)
    waits = asyncio.run(_waits(world, f"history-paced-{name}-"))
    return {
        "first_rate": round(first),
        "rates": [round(rate) for rate in rates],
        "shares": shares,
        "p50": float(waits["p50"]),
        "p99": float(waits["p99"]),
    }


def _rate(world: World, prefix: str) -> float:
    topic, port = f"{prefix}trip-events", str(free_ports(1)[0])
    with world.process("history.log", "-m", "cli", "worker", TRIPCAST_TOPIC_PREFIX=prefix, TRIPCAST_WORKER_PORT=port):
        asyncio.run(_drained(world, topic))
    return asyncio.run(commit_rate(world, *(query.format(topic=topic) for query in COMMITS)))


async def _drained(world: World, topic: str) -> None:
    total = sum((await end_offsets(Broker(world.kafka), topic)).values())
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (await world.fetch(STORED, topic))[0][0] < total:
            await asyncio.sleep(0.2)


async def _waits(world: World, prefix: str) -> dict[str, float]:
    """Milliseconds from sending to the committed row, at a steady rate."""
    await world.topics(prefix)
    warm, count = RATE * WARM_UP_SECONDS, RATE * PACED_SECONDS
    events = city_events_of_random_ids((warm + count) // 2 + 2_000, seed=30)
    topic, port = f"{prefix}trip-events", str(free_ports(1)[0])
    with world.process("history.log", "-m", "cli", "worker", TRIPCAST_TOPIC_PREFIX=prefix, TRIPCAST_WORKER_PORT=port):
        async with RecordProducer(Broker(world.kafka)) as producer:
            await send(producer, topic, events.first(warm), RATE)
            await _drained(world, topic)
            sent, _ = await send(producer, topic, events.after(warm).first(count), RATE)
        await _drained(world, topic)
    rows = await world.fetch(ROWS.format(topic=topic))
    return percentiles(np.array([(row[1] - sent[row[0], row[2]]) * 1000 for row in rows if (row[0], row[2]) in sent]))


async def _board(world: World) -> dict[str, float]:
    """Seconds of what the board asks for, beside this history."""
    [[newest]] = await world.fetch("select max(source_id) from event_sources")
    found = {}
    pool = await open_pool(PostgresSettings(database=world.database, database_command_seconds=120))
    try:
        began = time.perf_counter()
        await trip_sample(pool)
        found["trip_sample_seconds_at_10m"] = time.perf_counter() - began
        began = time.perf_counter()
        await LatestRows(pool, AreaGrid())(newest, PARTITIONS)
        found["latest_trips_seconds_at_10m"] = time.perf_counter() - began
    finally:
        await pool.close()
    return found


def _snapshot_seconds(world: World) -> float:
    """The first answer of a new API."""
    settings = {"TRIPCAST_TOPIC_PREFIX": "history-paced-10m-", "TRIPCAST_BOARD_DATABASE": world.readers}
    with our_api(world, **settings) as api:
        began = time.perf_counter()
        httpx.get(f"{api.address}/snapshot", params={"period": "24h"}, timeout=60).raise_for_status()
        return time.perf_counter() - began
