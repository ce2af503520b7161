"""The storage part of `make bench`: bytes for each trip and event after a worker has read a topic of the simulated city."""

import asyncio
import time

from rich.console import Console

from benchmarks.champion import champion
from benchmarks.figures import Results
from benchmarks.report import save, show
from benchmarks.storage.table import TABLES_OF_A_TRIP, rows
from benchmarks.stream.events import city_events, publish
from benchmarks.stream.ours import drained, empty
from benchmarks.world import World
from cli.embedded.ports import free_ports

TRIPS = 100_000
HISTORY_TRIPS = 4_000  # how good the champion is does not matter here
PREFIX = "storage-"
SIZE = "select coalesce(sum(pg_total_relation_size(relid)), 0)::bigint from pg_partition_tree($1::text::regclass)"
JOURNAL = "select (pg_current_wal_lsn() - '0/0'::pg_lsn)::bigint"


def run(world: World, rounds: int) -> None:  # noqa: ARG001 - as every part; bytes do not vary
    """Read a topic once and look."""
    started, say = time.monotonic(), Console(stderr=True).print
    champion(world, say, HISTORY_TRIPS)
    asyncio.run(world.topics(PREFIX))
    events = city_events(TRIPS, seed=9)
    asyncio.run(publish(world.kafka, f"{PREFIX}trip-events", events))
    asyncio.run(empty(world))
    say(f"a worker reads {len(events):,} events")
    before = _number(world, JOURNAL)
    port = free_ports(1)[0]
    settings = {"TRIPCAST_TOPIC_PREFIX": PREFIX, "TRIPCAST_WORKER_PORT": str(port)}
    with world.process("worker.log", "-m", "cli", "worker", **settings):
        asyncio.run(drained(world, PREFIX))
    journal = _number(world, JOURNAL) - before
    asyncio.run(world.fetch("vacuum analyze"))
    results = {"journal_bytes_per_event": journal / len(events)} | _bytes_of_rows(world) | _bytes_in_kafka(world, len(events))
    save("storage", results, {"events": len(events), "took_seconds": round(time.monotonic() - started)})
    show("Storage", rows(Results({f"storage.{name}": value for name, value in results.items()})), ("what", "bytes", ""))


def _bytes_of_rows(world: World) -> dict[str, float]:
    """For each row of each table, indexes included; and for a trip that was started, predicted and completed."""
    found = {
        f"{table}_bytes_per_row": asyncio.run(world.fetch(SIZE, table))[0][0] / _number(world, f"select count(*) from {table}")
        for table in TABLES_OF_A_TRIP
    }
    return found | {"bytes_per_trip": sum(found.values())}


def _bytes_in_kafka(world: World, events: int) -> dict[str, float]:
    """On the broker's disk, as it stores batches of the product's own producers."""
    found = {}
    for topic, count in (("trip-events", events), ("trip-predictions", _number(world, "select count(*) from predictions"))):
        logs = (world.folder / "kafka").glob(f"**/{PREFIX}{topic}-[0-9]*/*.log")
        found[f"{topic.replace('-', '_')}_kafka_bytes"] = sum(each.stat().st_size for each in logs) / count
    return found


def _number(world: World, query: str) -> int:
    return int(asyncio.run(world.fetch(query))[0][0])
