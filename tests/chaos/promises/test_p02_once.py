"""Promise 2: each event has its effect once, even when only the keys are left to protect it."""

from pathlib import Path
from typing import Any

import pytest

from tests.chaos.conftest import verdict
from tests.chaos.journal import Journal
from tests.chaos.kills import ten_kills
from tests.chaos.load import AT_ONCE, DRAIN_SECONDS, in_turn, send
from tests.chaos.report import Report
from tests.running import World, stop, world_of

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]
KEYS = {
    "trips": "trip_id",
    "completions": "trip_id",
    "predictions": "trip_id, role",
    "dead_letters": "partition, record_offset",
}


@pytest.mark.promise(2, short=True)
async def test_events_again_after_the_offsets_were_reset_change_no_row(
    kafka_address: str, database: str, topic_prefix: str, tmp_path: Path, report: Report
) -> None:
    after = "ten kills (as 1), then " if report.full else ""
    report.fault = f"{after}the whole topic again after the table of offsets was emptied"
    async with world_of(kafka_address, database, topic_prefix, tmp_path, partitions=6) as world:
        journal = await _a_first_time(world, report)
        before = await _history(world)
        await world.rows("delete from stream_suspects")
        await world.rows("delete from stream_offsets")
        with world.worker() as worker:
            await world.drained(DRAIN_SECONDS)
            assert worker.metric("tripcast_events_received_total") == len(journal.sent), "not all was read again"
        assert await _history(world) == before
        report.judged(await verdict(world, journal), journal)


async def _a_first_time(world: World, report: Report) -> Journal:
    if report.full:
        journal = await ten_kills(world, trips=10_000, workers=3, apart_seconds=2.0, per_second=600.0, seed=17)
        for worker in world.started:
            stop(worker)
        return journal
    journal = Journal()
    await send(world.kafka, f"{world.prefix}trip-events", in_turn(2_000, seed=4), journal, AT_ONCE)
    with world.worker():
        await world.drained(DRAIN_SECONDS)
    return journal


async def _history(world: World) -> list[list[Any]]:
    return [await world.rows(f"select * from {table} order by {keys}") for table, keys in KEYS.items()]
