"""Trainings are counted by their end, whatever it was, and it is raised all the same."""

import asyncio
from collections.abc import Sequence

import pytest

from batch.counted_training import CountedTraining
from batch.trainer_metrics import TrainerMetrics
from batch.training_process import TrainingOrder
from domain.errors import DatabaseUnreachable, ModelRefused, PartFailed, TripcastError
from domain.loop.decisions import Outcome, RequestKind

ORDER = TrainingOrder("because", "episode 1")


class World:
    def __init__(self, *ends: TripcastError | None) -> None:
        self.metrics, self.ends = TrainerMetrics(), list(ends)
        self.gates_away = False
        self.train = CountedTraining(self.run, self.metrics, self.refused_by)

    async def run(self, order: TrainingOrder) -> None:
        assert self.told("trainings_running") == 1
        if (end := self.ends.pop(0)) is not None:
            raise end

    async def refused_by(self, subject: str) -> Sequence[str]:
        if self.gates_away:
            raise DatabaseUnreachable("away")
        return ["rows", "areas"] if subject == ORDER.subject else []

    def told(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(f"tripcast_{name}", labels)


async def test_each_end_has_its_count_and_a_success_its_time() -> None:
    world = World(None, PartFailed("killed"), ModelRefused("too few rows"))
    await world.train(ORDER)
    succeeded_at = world.told("last_training_success_timestamp_seconds")
    with pytest.raises(PartFailed):
        await world.train(ORDER)
    with pytest.raises(ModelRefused):
        await world.train(ORDER)
    assert [world.told("trainings_total", outcome=each) for each in ("succeeded", "failed", "refused")] == [1, 1, 1]
    assert world.told("training_seconds_count") == 3
    assert [world.told("gate_refusals_total", gate=each) for each in ("rows", "areas")] == [1, 1]
    assert world.told("last_training_success_timestamp_seconds") == succeeded_at
    assert world.told("trainings_running") == 0
    assert succeeded_at


async def test_gates_that_nobody_can_name_hide_no_refusal() -> None:
    world = World(ModelRefused("too few rows"))
    world.gates_away = True
    with pytest.raises(ModelRefused):
        await world.train(ORDER)
    assert world.told("trainings_total", outcome="refused") == 1


async def test_a_training_that_is_cancelled_is_no_end() -> None:
    world = World()

    async def for_ever(_: TrainingOrder) -> None:
        await asyncio.Event().wait()

    training = asyncio.create_task(CountedTraining(for_ever, world.metrics, world.refused_by)(ORDER))
    await asyncio.sleep(0)
    assert world.told("trainings_running") == 1
    training.cancel()
    await asyncio.gather(training, return_exceptions=True)
    assert world.told("trainings_running") == 0
    assert sum(world.told("trainings_total", outcome=each) or 0 for each in ("succeeded", "failed", "refused")) == 0


def test_answers_are_counted_by_kind() -> None:
    metrics = TrainerMetrics()
    metrics.answered(RequestKind.PROMOTION, Outcome.DONE)
    value = metrics.registry.get_sample_value
    assert value("tripcast_requests_answered_total", {"kind": "promotion", "outcome": "done"}) == 1
    assert value("tripcast_requests_answered_total", {"kind": "rollback", "outcome": "done"}) == 0
