"""Promise 1: no acknowledged event is lost, whichever worker is killed at whatever moment."""

from pathlib import Path

import pytest

from tests.chaos.conftest import verdict
from tests.chaos.kills import ten_kills
from tests.chaos.report import Report
from tests.running import world_of

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]


@pytest.mark.promise(1, short=True)
async def test_ten_kills_at_random_moments_lose_and_double_nothing(
    kafka_address: str, database: str, topic_prefix: str, tmp_path: Path, report: Report
) -> None:
    workers, apart = report.size(full=3, short=2), report.size(full=5, short=0)
    report.fault = f"one of {workers} workers killed (SIGKILL) at random, ten times, on 6 partitions under load"
    async with world_of(kafka_address, database, topic_prefix, tmp_path, partitions=6) as world:
        journal = await ten_kills(
            world,
            trips=10_000,
            workers=workers,
            apart_seconds=float(apart),
            per_second=float(report.size(full=330, short=1_500)),
            seed=7,
        )
        report.judged(await verdict(world, journal), journal)
        assert await world.count("dead_letters") == 0
