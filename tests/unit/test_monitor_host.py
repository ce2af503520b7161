"""Who hosts the loop: what goes wrong begins anew from what is stored, facts are told in order, announcements are owed."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

import msgspec
import pytest
from prometheus_client import CollectorRegistry

from domain.entities.models import LifecycleEvent
from domain.errors import BrokerUnreachable
from domain.loop.decisions import Answered, Approved, ChampionChanged, Decision, Fact, Outcome, RequestKind, ShadowChanged
from domain.loop.journal import Entry
from domain.loop.steps import Step
from domain.policy import Timing
from schemas.events import QualitySignal
from stream import intake, monitor_host
from stream.inbox import Inbox
from stream.monitor_host import MonitorHost, MonitorParts
from stream.monitor_metrics import MonitorMetrics
from stream.monitor_ports import Serving
from tests.fakes.loop import FixedRegistry, InMemoryLoopStore, InMemoryTrips
from tests.unit.test_monitor import Remembering, continuous, in_pieces, some_trips

ANSWER = Answered(RequestKind.RETRAINING, "episode 1", Outcome.REGISTERED, 2, "passed")


@dataclass
class Lock:
    """Implements `stream.monitor_ports.Leadership`."""

    ours: bool = True
    ended: bool = False

    async def ask(self) -> bool:
        return self.ours

    def end(self) -> None:
        self.ended = True


@dataclass
class Board:
    """Where is announced. `down`: so many of the next announcements fail."""

    heard: list[LifecycleEvent] = field(default_factory=list)
    down: int = 0

    async def __call__(self, event: LifecycleEvent) -> None:
        if self.down:
            self.down -= 1
            raise BrokerUnreachable("no broker in this test")
        self.heard.append(event)


class Stumbling(Remembering):
    """Fails at the step number `at`, once."""

    at: int | None = None

    def step(self, step: Step) -> list[Decision]:
        if Stumbling.at is not None and len(self.given) == Stumbling.at:
            Stumbling.at = None
            raise ZeroDivisionError("the loop cannot do that")
        return super().step(step)


class World:
    """A running host and what is around it."""

    def __init__(self, trips: InMemoryTrips, store: InMemoryLoopStore | None = None) -> None:
        self.trips, self.store = trips, store or InMemoryLoopStore(trips)
        self.lock, self.board, self.registry = Lock(), Board(), FixedRegistry()
        self.metrics, self.inbox = CollectorRegistry(), Inbox()
        self.loops: list[Remembering] = []
        parts = MonitorParts(
            self.lock,
            self.store,
            trips,
            self.registry,
            self.board,
            self._new_loop,
            Timing(),
            MonitorMetrics(self.metrics),
            self.inbox,
            lagging=lambda: False,
        )
        self.stopped = False
        self.host = MonitorHost(parts, lambda: self.stopped)
        self.tasks = [asyncio.create_task(self.host.lead()), asyncio.create_task(self.host.work())]

    def _new_loop(self) -> Remembering:
        self.loops.append(Stumbling())
        return self.loops[-1]

    def metric(self, name: str, **labels: str) -> float:
        return self.metrics.get_sample_value(name, labels) or 0.0

    async def tell_all(self, size: int = 25) -> None:
        """Every signal, and wait until all is taken in and stored."""
        await self.tell(*in_pieces(self.trips, size))
        await self.done()

    async def tell(self, *signals: QualitySignal) -> None:
        for signal in signals:
            self.trips.commit({span.partition: span.next_offset for span in signal.spans})
            self.inbox.put(msgspec.json.encode(signal))

    async def done(self) -> None:
        await _until(self._is_done)

    def _is_done(self) -> bool:
        reaches = self.store.standing_now.reaches
        ends = {partition: len(events) for partition, events in self.trips.log.items()}
        if {partition: reach.next_offset for partition, reach in reaches.items()} != ends:
            return False
        closed, newest = self.store.standing_now.closed_until, max(reach.minute or 0 for reach in reaches.values())
        return closed is not None and closed + 10 > newest

    async def until_learnt(self, count: int) -> list[Fact]:
        await _until(lambda: len(self.facts()) >= count)
        return self.facts()

    def facts(self) -> list[Fact]:
        return [entry.given for entry in self.store.journal if not isinstance(entry.given, Step)]

    async def stop(self) -> None:
        self.stopped = True
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """No rests and no waits."""
    for name in ("ASK_SECONDS", "IDLE_SECONDS", "FACTS_SECONDS", "FIRST_WAIT_SECONDS", "CALM_SECONDS"):
        monkeypatch.setattr(monitor_host, name, 0.01)
    monkeypatch.setattr(monitor_host, "REST", 0)
    monkeypatch.setattr(intake, "CHECK_SECONDS", 0.02)
    Stumbling.at = None


@pytest.fixture
async def world() -> AsyncIterator[World]:
    world = World(some_trips(150))
    yield world
    await world.stop()


async def test_the_leader_takes_in_closes_steps_and_announces_what_was_decided(world: World) -> None:
    await world.tell_all()
    expected = await continuous(some_trips(150))
    assert world.store.steps() == expected.steps()
    assert world.store.cells.as_lists() == expected.cells.as_lists()
    assert [event.subject for event in world.board.heard] == [event.subject for event in world.store.events] != []
    assert (world.metric("tripcast_monitor_leader"), world.metric("tripcast_drift_state", state="watching")) == (1, 1)
    assert world.metric("tripcast_monitor_errors_total") == 0
    assert world.metric("tripcast_monitor_seconds_total") > 0
    settled = sum(int(entry.given.mature.settled.sum()) for entry in world.store.journal if isinstance(entry.given, Step))
    told = [world.metric("tripcast_mature_trips", role=role) for role in ("champion", "challenger")]
    assert sum(told) == settled > 0
    assert 0 < world.metric("tripcast_monitor_turn_age_seconds") < 60


async def test_who_does_not_lead_does_nothing() -> None:
    world = World(some_trips(50))
    world.lock.ours = False
    await asyncio.sleep(0)
    for signal in in_pieces(world.trips, 25):
        world.inbox.put(msgspec.json.encode(signal))
    world.trips.commit()
    await asyncio.sleep(0.1)
    assert (world.loops, world.store.journal) == ([], [])
    world.lock.ours = True
    await world.done()
    await world.stop()
    assert world.lock.ended


async def test_who_leads_no_more_forgets_and_goes_on_from_what_is_stored_when_it_leads_again(world: World) -> None:
    await world.tell_all()
    world.lock.ours = False
    await _until(lambda: not world.metric("tripcast_monitor_leader"))
    assert world.metric("tripcast_mature_trips", role="champion") == world.metric("tripcast_monitor_turn_age_seconds") == 0
    steps = world.store.steps()
    world.lock.ours = True
    await _until(lambda: len(world.loops) == 2 and len(world.loops[1].given) >= len(world.loops[0].given))
    assert world.store.steps() == steps
    assert world.loops[1].given == world.loops[0].given


@pytest.mark.parametrize("failing", [1, 3])
async def test_a_database_that_is_away_is_waited_for(world: World, failing: int) -> None:
    world.store.failing = failing
    await world.tell_all()
    world.store.failing = failing
    await world.done()
    assert world.store.steps() == (await continuous(some_trips(150))).steps()
    assert world.metric("tripcast_monitor_errors_total") == 0


async def test_an_error_of_the_loop_is_counted_and_it_begins_anew_without_losing_a_step(world: World) -> None:
    Stumbling.at = 7
    await world.tell_all()
    assert world.metric("tripcast_monitor_errors_total") == 1
    assert len(world.loops) == 2
    assert world.store.steps() == (await continuous(some_trips(150))).steps()
    assert world.store.cells.as_lists() == (await continuous(some_trips(150))).cells.as_lists()


async def test_a_leader_that_is_fenced_begins_anew(world: World) -> None:
    await world.tell_all()
    facts = await world.until_learnt(2)
    rival = Approved("episode 7")
    world.store.journal.append(Entry(len(world.store.journal) + 1, rival, 5))
    world.store.standing_now = replace(world.store.standing_now, seq=len(world.store.journal))
    world.store.facts.append(ANSWER)
    assert await world.until_learnt(4) == [*facts, rival, ANSWER]
    assert (len(world.loops), world.metric("tripcast_monitor_errors_total")) == (2, 0)


async def test_facts_are_told_in_order_once_everything_is_taken_in(world: World) -> None:
    world.registry.serving = Serving(1, "run", None)
    await world.tell_all()
    world.store.facts += [Approved("episode 1"), ANSWER]
    world.registry.serving = Serving(2, "run", 1)
    facts = await world.until_learnt(5)
    assert facts == [ChampionChanged(1, None), Approved("episode 1"), ANSWER, ChampionChanged(2, None), ShadowChanged(1)]
    await asyncio.sleep(0.1)
    assert world.facts() == facts
    assert world.metric("tripcast_retrainings_total", outcome=ANSWER.outcome.value) == 1


async def test_facts_wait_while_more_is_to_be_taken_in_even_when_somebody_asks(world: World) -> None:
    first, *others = in_pieces(world.trips, 80)
    await world.tell(first)
    await _until(lambda: world.store.standing_now.reaches.get(0) is not None)
    world.store.facts.append(ANSWER)
    world.host.ask()
    await asyncio.sleep(0.2)
    assert world.facts() == [ChampionChanged(1, None)]
    await world.tell(*others)
    assert await world.until_learnt(3) == [ChampionChanged(1, None), ANSWER, ShadowChanged(2)]


async def test_a_registry_that_does_not_answer_changes_nothing(world: World) -> None:
    await world.tell_all()
    facts = await world.until_learnt(2)
    world.registry.serving = None
    world.store.facts.append(ANSWER)
    assert await world.until_learnt(3) == [*facts, ANSWER]


async def test_announcements_that_failed_are_owed_and_sent_in_order(world: World) -> None:
    world.board.down = 3
    await world.tell_all()
    await _until(lambda: len(world.board.heard) >= len(world.store.events))
    assert [event.subject for event in world.board.heard] == [event.subject for event in world.store.events]


async def test_a_new_leader_sends_what_the_old_one_owed(world: World) -> None:
    world.board.down = 10_000
    await world.tell_all()
    await world.stop()
    heir = World(world.trips, world.store)
    await _until(lambda: len(heir.board.heard) >= len(world.store.events))
    await heir.stop()
    assert [event.subject for event in heir.board.heard] == [event.subject for event in world.store.events]


async def _until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - the host tells nobody
            await asyncio.sleep(0.01)
