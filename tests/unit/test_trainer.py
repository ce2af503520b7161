"""The trainer role: the first champion, requests answered once, outages waited for."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from batch.trainer import Trainer
from batch.training_process import TrainingProcess
from domain.entities.models import LifecycleEvent
from domain.errors import BrokerUnreachable, DatabaseUnreachable, NotEnoughTrips, PartFailed, RegistryUnreachable, TripcastError
from tests.fakes.journal import InMemoryJournal


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 3, 1, tzinfo=UTC)


@dataclass
class Asked:
    subject: str
    kind: str = "retraining.requested"
    reason: str = "drift"


@dataclass
class World:
    """`due` and `failures` are taken from the front; `everything_read` is set when the topic has no more messages."""

    messages: list[Asked] = field(default_factory=list)
    due: list[bool | Exception | None] = field(default_factory=lambda: [False])
    failures: list[TripcastError | None] = field(default_factory=list)
    journal: InMemoryJournal = field(default_factory=InMemoryJournal)
    trained: list[tuple[str, str | None]] = field(default_factory=list)
    done: list[str] = field(default_factory=list)
    outages: int = 0
    everything_read: asyncio.Event = field(default_factory=asyncio.Event)

    async def first_is_due(self) -> bool | None:
        answer = self.due.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def train(self, reason: str, subject: str | None) -> None:
        failure = self.failures.pop(0) if self.failures else None
        if failure:
            raise failure
        self.trained.append((reason, subject))
        if subject:
            finished = LifecycleEvent("retraining.finished", subject, "trainer", reason, FixedClock().now())
            await self.journal.record(finished)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[AsyncIterator[tuple[Asked, object]]]:
        if self.outages:
            self.outages -= 1
            raise BrokerUnreachable("no broker")
        yield self._read()

    async def _read(self) -> AsyncIterator[tuple[Asked, object]]:
        for message in self.messages:

            async def done(subject: str = message.subject) -> None:
                self.done.append(subject)

            yield message, done
        self.everything_read.set()
        await asyncio.Event().wait()

    async def run(self) -> None:
        """Run the role until it has read everything."""
        trainer = Trainer(self.first_is_due, self.train, self.listen, self.journal, FixedClock(), 0.001)  # type: ignore[arg-type]
        task = asyncio.create_task(trainer())
        await asyncio.wait([task, asyncio.create_task(self.everything_read.wait())], return_when=asyncio.FIRST_COMPLETED)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_the_first_champion_is_trained_as_soon_as_there_are_enough_trips() -> None:
    world = World(due=[None, None, True])
    await world.run()
    assert world.trained == [("no champion fits this program's inputs", None)]


async def test_with_a_champion_nothing_is_trained_unasked() -> None:
    world = World(due=[False])
    await world.run()
    assert world.trained == []


async def test_a_request_is_answered_once_however_often_it_is_delivered() -> None:
    world = World(messages=[Asked("episode-1"), Asked("episode-1"), Asked("episode-2")])
    await world.run()
    assert world.trained == [("drift", "episode-1"), ("drift", "episode-2")]
    assert world.done == ["episode-1", "episode-1", "episode-2"]


async def test_other_messages_ask_for_nothing() -> None:
    world = World(messages=[Asked("version 3", kind="model.promoted")])
    await world.run()
    assert (world.trained, world.done) == ([], ["version 3"])


async def test_outages_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch.trainer.LONGEST_WAIT_SECONDS", 0.001)
    world = World(
        messages=[Asked("episode-1")],
        due=[RegistryUnreachable("no MLflow"), DatabaseUnreachable("no PostgreSQL"), False],
        failures=[DatabaseUnreachable("no PostgreSQL"), RegistryUnreachable("no MLflow")],
        outages=2,
    )
    await world.run()
    assert world.trained == [("drift", "episode-1")]


async def test_a_training_that_cannot_succeed_is_recorded_and_not_repeated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch.trainer.LONGEST_WAIT_SECONDS", 0.001)
    failures: list[TripcastError | None] = [NotEnoughTrips("12 trips")]
    world = World(messages=[Asked("episode-1"), Asked("episode-1"), Asked("episode-2")], failures=failures)
    await world.run()
    assert [(event.kind, event.subject) for event in world.journal.events] == [
        ("retraining.failed", "episode-1"),
        ("retraining.finished", "episode-2"),
    ]
    assert world.journal.events[0].reason == "12 trips"


async def test_the_first_training_is_tried_again_whatever_stopped_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("batch.trainer.LONGEST_WAIT_SECONDS", 0.001)
    world = World(due=[True, True, True], failures=[PartFailed("killed"), NotEnoughTrips("12 trips")])
    await world.run()
    assert len(world.trained) == 1


async def test_a_training_process_that_ends_well_says_nothing() -> None:
    await TrainingProcess([sys.executable, "-c", "pass"], {})("because", "episode-1")


async def test_a_training_process_raises_what_its_exit_code_means_with_its_last_words() -> None:
    script = "import sys; print('log line', file=sys.stderr); print('tripcast: 12 trips', file=sys.stderr); sys.exit(12)"
    with pytest.raises(NotEnoughTrips, match=r"^12 trips$"):
        await TrainingProcess([sys.executable, "-c", script], {12: NotEnoughTrips})("because", None)


async def test_a_cancelled_training_takes_its_process_with_it(tmp_path: Path) -> None:
    started = tmp_path / "started"
    os.mkfifo(started)
    script = f"import os, time; open({str(started)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    training = asyncio.create_task(TrainingProcess([sys.executable, "-c", script], {})("because", None))
    process_id = int(await asyncio.to_thread(started.read_text))
    training.cancel()
    with pytest.raises(asyncio.CancelledError):
        await training
    with pytest.raises(ProcessLookupError):
        os.kill(process_id, 0)
