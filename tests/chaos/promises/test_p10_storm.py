"""Promise 10: workers come and go every three seconds, and no partition with lag is silent for more than 30 seconds."""

import asyncio
import random
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from adapters.kafka.broker import Broker
from adapters.kafka.topics import end_offsets
from tests.chaos.conftest import verdict
from tests.chaos.journal import Journal
from tests.chaos.load import DRAIN_SECONDS, in_turn, send
from tests.chaos.report import Report
from tests.running import Worker, World, tell_to_stop, world_of

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(400)]
PROMISED_SECONDS = 30.0
EVERY_SECONDS, MOST_WORKERS, PARTITIONS = 3.0, 4, 6
RATE = 500.0


@dataclass
class Silence:
    """Per partition, since when events wait while its stored offset stands still."""

    longest_s: float = 0.0
    _since: dict[int, tuple[int, float]] = field(default_factory=dict)

    def see(self, stored: Mapping[int, int], ends: Mapping[int, int]) -> None:
        now = time.monotonic()
        for partition, end in ends.items():
            at = stored.get(partition, 0)
            known = self._since.get(partition)
            if at >= end:
                self._since.pop(partition, None)
            elif known is None or known[0] != at:
                self._since[partition] = at, now
            self.longest_s = max([self.longest_s, *(now - since for _, since in self._since.values())])


@pytest.mark.promise(10)
async def test_no_partition_with_lag_is_silent_for_long_while_workers_come_and_go(
    kafka_address: str, database: str, topic_prefix: str, tmp_path: Path, report: Report
) -> None:
    seconds = report.size(full=120, short=20)
    report.fault = (
        f"a worker started or stopped (SIGTERM) every {EVERY_SECONDS:g} s for {seconds} s, 1 to {MOST_WORKERS} at once"
    )
    journal, silence = Journal(), Silence()
    async with world_of(kafka_address, database, topic_prefix, tmp_path, partitions=PARTITIONS) as world:
        events = in_turn(int(RATE * seconds / 2), seed=10)
        watching = asyncio.create_task(_watch(world, silence))
        sending = asyncio.create_task(send(world.kafka, f"{world.prefix}trip-events", events, journal, RATE))
        stopped = await _storm(world, seconds)
        await sending
        await world.drained(DRAIN_SECONDS)
        watching.cancel()
        report.measured |= {
            "longest_silence_s": round(silence.longest_s, 1),
            "started": len(world.started),
            "stopped": len(stopped),
        }
        assert [
            code for worker in stopped if (code := await worker.ended()) and worker.events("registry")
        ] == []  # it had begun
        report.judged(await verdict(world, journal), journal)
    if report.full:
        assert silence.longest_s <= PROMISED_SECONDS


async def _storm(world: World, seconds: float) -> list[Worker]:
    """Those that were told to stop."""
    chance, running, stopped = random.Random(10), [world.start_worker()], []  # noqa: S311 - a reproducible schedule
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        await asyncio.sleep(EVERY_SECONDS)  # the storm's own time
        if len(running) == 1 or (len(running) < MOST_WORKERS and chance.random() < 0.5):
            running.append(world.start_worker())
        else:
            stopped.append(running.pop(chance.randrange(len(running))))
            tell_to_stop(stopped[-1])
    return stopped


async def _watch(world: World, silence: Silence) -> None:
    broker = Broker(world.kafka)
    while True:
        rows = await world.rows("select partition, next_offset from stream_offsets")
        silence.see({row[0]: row[1] for row in rows}, await end_offsets(broker, f"{world.prefix}trip-events"))
        await asyncio.sleep(0.25)
