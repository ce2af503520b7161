"""Promise 9: a frozen worker cannot harm: whatever it was about to do, it changes nothing when it wakes after the others."""

import signal
from pathlib import Path

import pytest

from tests.chaos.conftest import verdict
from tests.chaos.journal import Journal
from tests.chaos.kills import stored
from tests.chaos.load import AT_ONCE, DRAIN_SECONDS, in_turn, send
from tests.chaos.report import Report
from tests.running import Worker, World, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
STEPS = ("before_transaction", "in_transaction", "before_publishing")


@pytest.mark.promise(9, short=True)
async def test_workers_frozen_at_each_step_change_nothing_when_they_wake(world: World, report: Report) -> None:
    """One a step, all in one group; a fourth takes over. One keeps its locks until the server ends its transaction."""
    report.fault = "three workers frozen (SIGSTOP) before, in and after their transactions, awake when another has taken over"
    journal, topic, now = Journal(), f"{world.prefix}trip-events", world.folder / "now"
    patience = {} if report.full else {"TRIPCAST_DATABASE_COMMAND_SECONDS": "8"}
    frozen = [world.start_worker(TEST_FAULT=f"freeze@{step}", TEST_FAULT_WHEN=str(now), **patience) for step in STEPS]
    await until(lambda: _have_one_each(frozen))
    now.touch()
    await send(world.kafka, topic, in_turn(report.size(full=10_000, short=2_000), seed=2), journal, AT_ONCE)
    await until(lambda: _are_frozen(frozen))
    assert await stored(world) < len(journal.sent)
    world.start_worker(**patience)  # gets the partitions once the group has given the frozen ones up
    await world.drained(DRAIN_SECONDS)
    for worker in frozen:
        worker.signal(signal.SIGCONT)
    await until(lambda: _noticed(frozen), DRAIN_SECONDS)
    await send(world.kafka, topic, in_turn(500, seed=3), journal, AT_ONCE)
    await world.drained(DRAIN_SECONDS)
    report.measured["published_twice"] = len(await world.published()) - await world.count("predictions")
    assert report.measured["published_twice"] > 0, "the third had nothing to publish late"
    report.judged(await verdict(world, journal), journal)


async def _have_one_each(workers: list[Worker]) -> bool:
    shares = [worker.events("taken_over")[-1:] for worker in workers]
    partitions = [partition for share in shares for event in share for partition in event["next_offsets"]]
    return len(partitions) == len(set(partitions)) == len(workers) and all(
        share and share[0]["next_offsets"] for share in shares
    )


async def _are_frozen(workers: list[Worker]) -> bool:
    return all(_state(worker.process.pid) == "T" for worker in workers)


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


async def _noticed(workers: list[Worker]) -> bool:
    """Whether what the first two had in hand was refused by the stored offsets."""
    return all(any("stored up to" in event["why"] for event in worker.events("batch_dropped")) for worker in workers[:2])
