"""Promise 2: each event has its effect once, even when only the keys are left to protect it."""

from typing import Any

import pytest

from tests.chaos.conftest import verdict
from tests.chaos.journal import Journal
from tests.chaos.load import AT_ONCE, DRAIN_SECONDS, in_turn, send
from tests.chaos.report import Report
from tests.running import World

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


@pytest.mark.promise(2, short=True)
async def test_events_again_after_the_offsets_were_reset_change_no_row(world: World, report: Report) -> None:
    report.fault = "the whole topic again after the table of offsets was emptied"
    journal = Journal()
    events = in_turn(report.size(full=10_000, short=2_000), seed=4)
    await send(world.kafka, f"{world.prefix}trip-events", events, journal, AT_ONCE)
    with world.worker():
        await world.drained(DRAIN_SECONDS)
    before = await _history(world)
    await world.rows("delete from stream_offsets")
    with world.worker():
        await world.drained(DRAIN_SECONDS)
    assert await _history(world) == before
    report.judged(await verdict(world, journal), journal)


async def _history(world: World) -> list[list[Any]]:
    tables = ("trips", "completions", "predictions")
    return [await world.rows(f"select * from {table} order by trip_id") for table in tables]
