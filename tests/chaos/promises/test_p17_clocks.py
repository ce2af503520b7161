"""Promise 17: wrong clocks do no harm: windows follow the events' clock, and nothing takes less than no time."""

import asyncio
import os
import subprocess
import sys
import urllib.request
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from adapters.postgres.admin.local_server import copy_database, drop_database
from cli.embedded.ports import HOST
from cli.embedded.postgres import OWNER, EmbeddedPostgres
from tests.chaos.conftest import verdict
from tests.chaos.journal import Journal
from tests.chaos.load import DRAIN_SECONDS
from tests.chaos.report import Report
from tests.programs import needed
from tests.running import DEADLINE_SECONDS, REPOSITORY, Worker, World, until, world_of

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(900)]
TRIPS = 750
HOUR = 3600
RIGHT = (0, 0)
SHIFTS = [RIGHT, (HOUR, 0), (-HOUR, 0), (0, HOUR), (0, -HOUR)]  # seconds, of the producer's clock and of the worker's
STEPS = "select body::text, event_at from loop_journal where kind = 'step' order by seq"
MINUTES = "select * from quality_minutes order by minute, role, model_version, area, vendor_id"
TAKEN_IN = """
select bool_and(m.next_offset is not distinct from o.next_offset)
    and (select max(closed_until) from open_tallies) + interval '10 minutes' > (select max(pickup_at) from trips)
from stream_offsets as o left join monitor_positions as m using (source_id, partition)
"""
CLOCKS = """
select extract(epoch from max(t.published_at) - max(t.recorded_at)), extract(epoch from max(p.scored_at) - max(t.recorded_at))
from trips as t join predictions as p using (trip_id)
"""


@pytest.mark.promise(17)
async def test_an_hour_ahead_or_behind_changes_no_window_no_step_and_no_row(
    kafka_address: str, postgres_server: EmbeddedPostgres, template_database: str, tmp_path: Path, report: Report
) -> None:
    needed("faketime", package="faketime")
    report.fault = "the producer's clock, then the worker's, an hour ahead and an hour behind (libfaketime)"
    seen = {}
    for number, shifts in enumerate(SHIFTS):
        folder = tmp_path / str(number)
        folder.mkdir()
        async with (
            _database(postgres_server, template_database) as database,
            world_of(kafka_address, database, f"{folder.name}-{uuid.uuid4().hex[:8]}-", folder, partitions=1) as world,
        ):
            journal = await _run(world, *shifts)
            seen[shifts] = [await world.rows(STEPS), await world.rows(MINUTES)]
            report.judged(await verdict(world, journal), journal)
    steps, minutes = seen[RIGHT]
    assert len(steps) > 50
    assert minutes
    assert {shifts: found == seen[RIGHT] for shifts, found in seen.items()} == dict.fromkeys(SHIFTS, True)
    report.measured |= {"steps": len(steps), "minutes": len(minutes)}


async def _run(world: World, producer_s: int, worker_s: int) -> Journal:
    """Six hours, sent and taken in with these clocks; the clocks were really wrong, and no metric says less than nothing."""
    journal = world.folder / "journal"
    with world.worker(**_clock(worker_s)) as worker:
        command = [sys.executable, "-m", "tests.chaos.send_process", world.kafka, f"{world.prefix}trip-events", str(journal)]
        environment = {**os.environ, **_clock(producer_s)}
        sending = await asyncio.create_subprocess_exec(*command, str(TRIPS), cwd=REPOSITORY, env=environment)
        assert await asyncio.wait_for(sending.wait(), DEADLINE_SECONDS) == 0
        await world.drained(DRAIN_SECONDS)
        await until(lambda: _is_taken_in(world), 2 * DRAIN_SECONDS)
        assert await asyncio.to_thread(_below_nothing, worker) == []
    [clocks] = await world.rows(CLOCKS)
    assert [float(found) for found in clocks] == pytest.approx([producer_s, worker_s], abs=60)
    return Journal.read(journal)


def _clock(seconds: int) -> dict[str, str]:
    """A wrong clock shifts the time of day alone, and never the monotonic one."""
    if not seconds:
        return {}
    library = subprocess.run(
        ["faketime", "-m", "-f", "+0", "printenv", "LD_PRELOAD"], check=True, capture_output=True, text=True
    )
    return {"LD_PRELOAD": library.stdout.strip(), "FAKETIME": f"{seconds:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}


def _below_nothing(worker: Worker) -> list[str]:
    with urllib.request.urlopen(f"http://{HOST}:{worker.port}/metrics", timeout=5) as answer:
        families = list(text_string_to_metric_families(answer.read().decode()))
    samples = [sample for family in families if "_seconds" in family.name for sample in family.samples]
    assert samples
    return [f"{sample.name} {sample.labels}: {sample.value}" for sample in samples if sample.value < 0]


async def _is_taken_in(world: World) -> bool:
    """Whether the Monitor has taken in all that is stored, and closed every step that can be closed."""
    [row] = await world.rows(TAKEN_IN)
    return bool(row[0])


@asynccontextmanager
async def _database(server: EmbeddedPostgres, template: str) -> AsyncIterator[str]:
    name = f"test_{uuid.uuid4().hex[:12]}"
    await copy_database(server.admin, template, name, owner=OWNER)
    try:
        yield server.address(OWNER, name)
    finally:
        await drop_database(server.admin, name)
