"""Promise 23: absence of loss can be proven at any time; what is deleted by hand is named, and comes back from Kafka."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cli.embedded.ports import free_ports
from domain.entities.canaries import PREFIX
from tests.chaos.conftest import verdict
from tests.chaos.journal import Journal
from tests.chaos.load import AT_ONCE, DRAIN_SECONDS, in_turn, send, send_raw
from tests.chaos.report import Report
from tests.running import REPOSITORY, Worker, World, stop, until, world_of

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]
AUDIT_FAILED = 10
OF_EACH = 5
BEFORE = 800  # events that are rows before anything is deleted
EVERYTHING = {
    "trips": "select * from trips where trip_id = any($1::text[]) order by trip_id",
    "completions": "select * from completions where trip_id = any($1::text[]) order by trip_id",
    "predictions": "select * from predictions where role = 'champion' and trip_id = any($1::text[]) order by trip_id",
    "dead_letters": "select * from dead_letters where $1::text[] is not null order by partition, record_offset",
}
ANEW = {"recorded_at", "dead_letter_id"}  # when and under which number a row was written
Place = tuple[int, int, str]  # partition, offset, and what is missing there


@pytest.mark.promise(23)
async def test_rows_deleted_by_hand_under_load_are_named_and_put_back(
    kafka_address: str, database: str, topic_prefix: str, tmp_path: Path, report: Report
) -> None:
    report.fault = f"{OF_EACH} trips, completions, predictions and dead letters each deleted by hand under load, with a canary"
    events, journal = in_turn(10_000, seed=23), Journal()
    async with world_of(kafka_address, database, topic_prefix, tmp_path, partitions=6) as world:
        topic = f"{world.prefix}trip-events"
        with world.worker(), world.worker():
            rubbish = [(b"rubbish", b"{no JSON %d" % number) for number in range(OF_EACH)]
            await send_raw(world.kafka, topic, rubbish, journal)
            await send(world.kafka, topic, events[:BEFORE], journal, AT_ONCE)
            await world.drained(DRAIN_SECONDS)
            canary = _canary(world)
            rest = asyncio.create_task(send(world.kafka, topic, events[BEFORE:], journal, per_second=400.0))
            ids = [
                row[0]
                for row in await world.rows("select trip_id from completions order by md5(trip_id) limit $1", 3 * OF_EACH)
            ]
            before = await _rows(world, ids)
            deleted = await _deleted(world, ids)
            code, found = await _audited(world)
            assert (code, _missing(found)) == (AUDIT_FAILED, deleted)
            began = time.monotonic()
            code, found = await _audited(world, "--repair", "--yes", "--reason", "promise 23")
            report.recovery_s = round(time.monotonic() - began, 1)
            assert (code, _missing(found)) == (0, set()), found
            assert await _rows(world, ids) == before
            await rest
            await until(lambda: _through(canary, 3))
            report.measured |= _flown(canary)
            stop(canary)
            await world.drained(DRAIN_SECONDS)
        await _canaries_were_sent(world, journal)
        began = time.monotonic()
        assert (await _audited(world))[0] == 0
        report.measured["audit_s"] = round(time.monotonic() - began, 1)
        report.judged(await verdict(world, journal), journal)


def _canary(world: World) -> Worker:
    port = free_ports(1)[0]
    settings = {"TRIPCAST_CANARY_PORT": str(port), "TRIPCAST_CANARY_INTERVAL_SECONDS": "1"}
    canary = world.start_worker("cli", "canary", **settings)
    canary.port = port
    return canary


async def _through(canary: Worker, count: int) -> bool:
    return canary.health("livez")[0] == 200 and canary.metric("tripcast_canary_seconds_count", stage="predicted") >= count


def _flown(canary: Worker) -> dict[str, float]:
    """What the canary has measured: trips, losses, and the mean seconds to the published prediction."""
    flown = canary.metric("tripcast_canary_seconds_count", stage="predicted")
    mean = canary.metric("tripcast_canary_seconds_sum", stage="predicted") / flown
    lost = canary.metric("tripcast_canary_lost_total")
    assert lost == 0
    return {"canary_trips": flown, "canary_lost": lost, "canary_mean_s": round(mean, 3)}


async def _canaries_were_sent(world: World, journal: Journal) -> None:
    """The canary keeps no journal: what the broker has of it was sent."""
    for record in await world.published("trip-events"):
        if (record.key or b"").startswith(PREFIX.encode()):
            journal.acknowledge(record.partition, record.offset, record.key, record.value)


async def _deleted(world: World, ids: list[str]) -> set[Place]:
    """Delete as whoever holds the owner's login could; returns what the audit has to name."""
    gone: set[Place] = set()
    queries = {
        "record": ("delete from trips where trip_id = any($1::text[]) returning partition, record_offset", ids[:OF_EACH]),
        "completion": (
            "delete from completions where trip_id = any($1::text[]) returning partition, record_offset",
            ids[OF_EACH : 2 * OF_EACH],
        ),
        "letter": ("delete from dead_letters where $1::text[] is not null returning partition, record_offset", ids),
        "prediction": (
            "delete from predictions where role = 'champion' and trip_id = any($1::text[]) returning partition, record_offset",
            [*ids[: OF_EACH - 2], *ids[2 * OF_EACH : 3 * OF_EACH]],  # with some of the trips, and alone
        ),
    }
    trips: set[tuple[int, int]] = set()
    for what, (query, wanted) in queries.items():
        places = {(row[0], row[1]) for row in await world.rows(query, wanted)}
        trips |= places if what == "record" else set()
        alone = places - trips if what == "prediction" else places
        gone |= {(*place, "prediction" if what == "prediction" else "record") for place in alone}
    assert len(gone) == 4 * OF_EACH
    return gone


def _missing(found: Mapping[str, Any]) -> set[Place]:
    named = [each for partition in found["partitions"] for each in partition["missing"]]
    return {
        (each["partition"], offset, each["what"])
        for each in named
        for offset in range(each["first_offset"], each["last_offset"] + 1)
    }


async def _rows(world: World, ids: list[str]) -> dict[str, list[dict[str, Any]]]:
    return {
        table: [{name: value for name, value in row.items() if name not in ANEW} for row in await world.rows(query, ids)]
        for table, query in EVERYTHING.items()
    }


async def _audited(world: World, *options: str) -> tuple[int, dict[str, Any]]:
    """Exit code and document of the command, as an operator runs it; there is no registry here."""
    settings = {
        "TRIPCAST_KAFKA": world.kafka,
        "TRIPCAST_DATABASE": world.database,
        "TRIPCAST_TOPIC_PREFIX": world.prefix,
        "TRIPCAST_MLFLOW": f"http://127.0.0.1:{free_ports(1)[0]}",
        "TRIPCAST_DATA": str(world.folder / "audit"),
    }
    command = [sys.executable, "-m", "cli", "audit", "--json", *options]
    done = await asyncio.to_thread(
        subprocess.run, command, cwd=REPOSITORY, env={**os.environ, **settings}, capture_output=True, check=False
    )
    return done.returncode, json.loads(done.stdout or b"{}")
