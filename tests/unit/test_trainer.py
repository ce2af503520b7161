"""The trainer role: the first champion, requests answered once however many trainers run, outages waited for."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from batch.answer import Answer
from batch.trainer import Trainer
from batch.training_process import TrainingOrder, TrainingProcess
from domain.errors import BrokerUnreachable, DatabaseUnreachable, NotEnoughTrips, PartFailed, RegistryUnreachable, TripcastError
from domain.loop.decisions import Outcome, Request, RequestKind
from tests.fakes.requests import InMemoryRequests

FOR_EVER = 3600.0
ORDER = TrainingOrder("because", "episode 1")


@dataclass
class Said:
    kind: str = "retraining.requested"


async def turns(happened: Callable[[], bool]) -> None:
    """Let the others run until it has happened."""
    async with asyncio.timeout(30):
        for _ in iter(happened, True):
            await asyncio.sleep(0)


@dataclass
class World:
    """`due` and `failures` are taken from the front; `enough` is set when that many requests are answered."""

    requests: InMemoryRequests = field(default_factory=InMemoryRequests)
    due: list[bool | Exception | None] = field(default_factory=lambda: [False])
    failures: list[TripcastError] = field(default_factory=list)
    trained: list[TrainingOrder] = field(default_factory=list)
    worked_on: list[str] = field(default_factory=list)
    messages: "asyncio.Queue[Said]" = field(default_factory=asyncio.Queue)
    dealt_with: list[str] = field(default_factory=list)
    outages: int = 0
    listening: asyncio.Event = field(default_factory=asyncio.Event)
    hold: asyncio.Event | None = None
    poll_seconds: float = 0.001

    async def first_is_due(self) -> bool | None:
        answer = self.due.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def train(self, order: TrainingOrder) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.trained.append(order)

    async def answer(self, request: Request) -> Answer:
        self.worked_on.append(request.subject)
        if request.kind is RequestKind.RETRAINING and self.hold:
            await self.hold.wait()
        await asyncio.sleep(0)
        if self.failures:
            raise self.failures.pop(0)
        return Answer(Outcome.DONE, "done")

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[AsyncIterator[tuple[Said, object]]]:
        if self.outages:
            self.outages -= 1
            raise BrokerUnreachable("no broker")
        yield self._read()

    async def _read(self) -> AsyncIterator[tuple[Said, object]]:
        self.listening.set()
        while True:
            message = await self.messages.get()

            async def done(kind: str = message.kind) -> None:
                self.dealt_with.append(kind)

            yield message, done

    def trainer(self) -> Trainer:
        parts = self.first_is_due, self.train, self.requests, self.answer, self.listen, self.poll_seconds
        return Trainer(*parts)  # type: ignore[arg-type]

    async def until(self, *, answers: int = 0, trainers: int = 1) -> None:
        """Run the role until that many requests are answered, or until it has settled when none is asked for."""
        running = [asyncio.create_task(self.trainer()()) for _ in range(trainers)]
        try:
            await turns(lambda: len(self.requests.answers) >= answers if answers else self.listening.is_set())
            assert not any(task.done() for task in running), "the role must not end"
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    def asks(self, *subjects: str, kind: RequestKind = RequestKind.RETRAINING) -> None:
        self.requests.asked += [Request(kind, subject, "drift", 1) for subject in subjects]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch.patience.LONGEST_WAIT_SECONDS", 0.001)


async def test_the_first_champion_is_trained_as_soon_as_there_are_enough_trips() -> None:
    world = World(due=[None, None, True])
    await world.until()
    assert world.trained == [TrainingOrder("no champion fits this program's inputs")]


async def test_with_a_champion_nothing_is_trained_unasked() -> None:
    world = World(due=[False])
    await world.until()
    assert world.trained == []


async def test_the_first_training_is_tried_again_whatever_stopped_it() -> None:
    world = World(due=[True, True, True], failures=[PartFailed("killed"), NotEnoughTrips("12 trips")])
    await world.until()
    assert len(world.trained) == 1


async def test_requests_are_answered_in_order_and_once() -> None:
    world = World()
    world.asks("episode 1", "episode 2")
    await world.until(answers=2)
    assert world.worked_on == ["episode 1", "episode 2"]


async def test_five_trainers_do_the_work_of_one() -> None:
    world = World(due=[False] * 5)
    world.asks("episode 1", "episode 2")
    await world.until(answers=2, trainers=5)
    assert sorted(world.worked_on) == ["episode 1", "episode 2"]


async def test_a_change_of_roles_does_not_queue_behind_a_training() -> None:
    world = World(hold=asyncio.Event())
    world.asks("episode 2")
    world.asks("episode 1", kind=RequestKind.ROLLBACK)
    await world.until(answers=1)
    assert list(world.requests.answers) == [1], "the training is still under way"


async def test_a_message_wakes_the_trainer_at_once() -> None:
    """It would look by itself only after an hour."""
    world = World(poll_seconds=FOR_EVER)
    running = asyncio.create_task(world.trainer()())
    await world.listening.wait()
    for _ in range(20):
        await asyncio.sleep(0)  # it has looked once, and found nothing
    world.asks("episode 1")
    world.messages.put_nowait(Said("model.promoted"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert world.worked_on == [], "other messages ask for nothing"
    world.messages.put_nowait(Said())
    await turns(lambda: bool(world.requests.answers))
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert world.dealt_with == ["model.promoted", "retraining.requested"]


async def test_outages_are_waited_for() -> None:
    world = World(
        due=[RegistryUnreachable("no MLflow"), DatabaseUnreachable("no PostgreSQL"), False],
        failures=[DatabaseUnreachable("no PostgreSQL"), RegistryUnreachable("no MLflow")],
        outages=2,
    )
    world.asks("episode 1")
    await world.until(answers=1)
    assert world.requests.answers[0].outcome is Outcome.DONE
    assert world.worked_on == ["episode 1"] * 3


async def test_a_training_process_that_ends_well_says_nothing() -> None:
    await TrainingProcess([sys.executable, "-c", "pass"], {})(ORDER)


async def test_a_training_process_raises_what_its_exit_code_means_with_its_last_words() -> None:
    script = "import sys; print('log line', file=sys.stderr); print('tripcast: 12 trips', file=sys.stderr); sys.exit(12)"
    with pytest.raises(NotEnoughTrips, match=r"^12 trips$"):
        await TrainingProcess([sys.executable, "-c", script], {12: NotEnoughTrips})(ORDER)


async def test_a_cancelled_training_takes_its_process_with_it(tmp_path: Path) -> None:
    started = tmp_path / "started"
    os.mkfifo(started)
    script = f"import os, time; open({str(started)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    training = asyncio.create_task(TrainingProcess([sys.executable, "-c", script], {})(ORDER))
    process_id = int(await asyncio.to_thread(started.read_text))
    training.cancel()
    with pytest.raises(asyncio.CancelledError):
        await training
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)
