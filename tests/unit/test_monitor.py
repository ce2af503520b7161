"""The Monitor: however reports come, split, doubled, late or not at all, the same steps; rounds carry all that changed."""

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from domain.errors import Fenced
from domain.loop.decisions import ChampionChanged, Decision, Fact, Record, ShadowChanged
from domain.loop.signals import Reading
from domain.loop.steps import Step
from domain.policy import Timing
from schemas.events import QualitySignal
from stream.inbox import Inbox
from stream.intake import Intake
from stream.monitor import Monitor
from stream.monitor_metrics import MonitorMetrics
from tests.fakes.loop import SOURCE, InMemoryLoopStore, InMemoryTrips
from tests.tallied import at
from tests.trips import random_trips

TIMING = Timing()


class Remembering:
    """A loop that remembers what it was given, and raises an alarm at every tenth step."""

    phase = "watching"

    def __init__(self) -> None:
        self.given: list[object] = []
        self.read: list[int] = []

    def step(self, step: Step) -> list[Decision]:
        self.given.append(step.as_dict())
        return [Record("drift.alarm", f"step {step.minute}", "the tenth", step.minute)] if len(self.given) % 10 == 0 else []

    def readings(self, step: Step) -> list[Reading]:
        self.read.append(step.minute)
        return [Reading(step.minute, "log_ratio", None, len(self.read), 0.1, 0.2, "ok", None, 1)]

    def learn(self, fact: Fact) -> list[Decision]:
        self.given.append(fact)
        return []


class Run:
    """A Monitor with its intake, and the store that outlives it."""

    def __init__(self, trips: InMemoryTrips, store: InMemoryLoopStore | None = None) -> None:
        self.trips, self.store = trips, store or InMemoryLoopStore(trips)
        self.inbox, self.metrics = Inbox(), MonitorMetrics(CollectorRegistry())
        self.inbox.open()
        self.intake = Intake(self.store, trips, self.inbox, self.metrics)
        self.loop = Remembering()

    async def take_over(self) -> "Run":
        standing = await self.store.standing(SOURCE)
        self.monitor = Monitor(self.loop, TIMING, standing)
        async for entries in self.store.entries(standing.seq):
            self.monitor.recall(entries)
        return self

    async def hear(self, *signals: QualitySignal) -> None:
        for signal in signals:
            self.trips.commit({span.partition: span.next_offset for span in signal.spans})
            self.inbox.put(msgspec.json.encode(signal))
            while await self.intake(self.monitor, SOURCE):
                await self.store_round()
            await self.store_round()

    async def look(self) -> None:
        """As long after the last look that lost signals are lost."""
        for _ in range(2):
            self.intake._checked_at = float("-inf")
            await self.intake(self.monitor, SOURCE)
            await self.store_round()

    async def store_round(self) -> None:
        self.monitor.close_steps()
        if made := self.monitor.round():
            await self.store.commit(SOURCE, made)
            self.monitor.stored(made)


def some_trips(count: int = 300, partitions: int = 2) -> InMemoryTrips:
    """Over five hours; they last from 4 to 40 minutes."""
    minutes = np.random.default_rng(5).uniform(4, 40, count)
    return InMemoryTrips(at(random_trips(count), "2016-03-01T12:00:00", 60), minutes.tolist(), partitions)


def in_pieces(trips: InMemoryTrips, size: int) -> list[QualitySignal]:
    """Signals of so many records of each partition at a time."""
    longest = max(map(len, trips.log.values()))
    return [
        trips.signal({number: (first, min(first + size, len(log))) for number, log in trips.log.items() if first < len(log)})
        for first in range(0, longest, size)
    ]


async def continuous(trips: InMemoryTrips, size: int = 7) -> InMemoryLoopStore:
    run = await Run(trips).take_over()
    await run.hear(*in_pieces(trips, size))
    return run.store


async def test_steps_follow_each_other_and_hold_every_trip_once() -> None:
    trips = some_trips()
    store = await continuous(trips)
    minutes = [step["minute"] for step in store.steps()]
    assert minutes == list(range(minutes[0], minutes[-1] + 1, 5))  # type: ignore[call-overload,operator]
    begun = sum(int(entry.given.inputs.trips.sum()) for entry in store.journal if isinstance(entry.given, Step))
    closed = store.standing_now.closed_until
    assert begun == int((trips.scored.pickup_at < np.datetime64(closed, "m")).sum()) > 250
    assert store.stretches == []
    assert store.places.trips.sum() == 2 * len(trips.scored)


@pytest.mark.parametrize("size", [1, 3, 11, 1000])
async def test_how_reports_are_split_changes_no_sum(size: int) -> None:
    trips = some_trips()
    expected, found = await continuous(trips), await continuous(trips, size)
    assert found.cells.as_lists() == expected.cells.as_lists()
    assert found.places.as_lists() == expected.places.as_lists()
    assert found.steps() == expected.steps()


Mishap = st.sampled_from(["none", "none", "none", "lost", "doubled", "swapped", "restart"])


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(mishaps=st.lists(Mishap, min_size=43, max_size=43))
async def test_a_signal_lost_doubled_or_out_of_order_or_a_new_leader_changes_nothing(mishaps: list[str]) -> None:
    trips = some_trips()
    expected, run = await continuous(some_trips()), await Run(trips).take_over()
    signals = in_pieces(trips, 7)
    for number, mishap in enumerate(mishaps):
        if mishap == "restart":
            run = await Run(trips, run.store).take_over()
        order = {
            "lost": [],
            "doubled": [signals[number]] * 2,
            "swapped": [*signals[number + 1 : number + 2], signals[number]],
        }.get(mishap, [signals[number]])
        await run.hear(*order)
    trips.commit()
    await run.look()
    assert run.store.cells.as_lists() == expected.cells.as_lists()
    assert run.store.places.as_lists() == expected.places.as_lists()
    assert run.store.steps() == expected.steps()


async def test_what_a_new_leader_recalls_is_what_the_old_one_gave() -> None:
    trips = some_trips()
    first = await Run(trips).take_over()
    first.monitor.learn([ChampionChanged(1, None), ShadowChanged(2)])
    await first.hear(*in_pieces(trips, 7))
    second = await Run(trips, first.store).take_over()
    assert second.loop.given == first.loop.given
    assert second.loop.read == []
    assert [each.minute for each in first.store.readings] == [step["minute"] for step in first.store.steps()] != []
    assert (second.monitor.champion, second.monitor.shadow) == (1, 2)
    assert second.monitor.round() is None
    assert [event.subject for event in first.store.events] == [event.subject for _, event in await second.store.owed(0)]


async def test_a_view_that_fails_keeps_no_step_from_being_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: object, step: Step) -> list[Reading]:
        raise ZeroDivisionError(step.minute)

    monkeypatch.setattr(Remembering, "readings", fail)
    store = await continuous(some_trips())
    assert store.readings == []
    assert len(store.steps()) > 20


async def test_of_two_leaders_the_slower_is_fenced() -> None:
    trips = some_trips()
    one, other = await Run(trips).take_over(), await Run(trips).take_over()
    other.store = one.store
    signals = in_pieces(trips, 50)
    await one.hear(signals[0])
    with pytest.raises(Fenced):
        await other.hear(signals[0])


async def test_a_signal_that_overlaps_what_was_counted_from_rows_is_counted_from_there() -> None:
    trips = some_trips()
    expected, run = await continuous(some_trips()), await Run(trips).take_over()
    trips.commit({0: 33, 1: 20})
    await run.look()
    assert run.store.stretches == [(0, 0, 33), (1, 0, 20)]
    await run.hear(*in_pieces(trips, 25))
    assert sorted(run.store.stretches[2:]) == [(0, 33, 50), (1, 20, 25), (1, 25, 50)]
    assert run.store.cells.as_lists() == expected.cells.as_lists()
    assert run.store.places.as_lists() == expected.places.as_lists()
    assert run.store.steps() == expected.steps()


async def test_signals_get_a_while_to_come_before_rows_are_counted() -> None:
    trips = some_trips()
    run = await Run(trips).take_over()
    await run.look()
    trips.commit()
    run.intake._checked_at = float("-inf")
    await run.intake(run.monitor, SOURCE)
    assert run.store.stretches == []
    await run.look()
    assert run.store.stretches


async def test_a_signal_of_an_older_incarnation_of_the_topic_is_nothing() -> None:
    trips = some_trips()
    run = await Run(trips).take_over()
    await run.look()
    await run.hear(trips.signal({0: (0, 10)}, source_id=SOURCE - 1))
    assert len(run.store.cells) == 0
    with pytest.raises(Fenced, match="created anew"):
        await run.hear(trips.signal({0: (0, 10)}, source_id=SOURCE + 1))


async def test_a_message_that_is_no_signal_is_counted_from_its_rows() -> None:
    trips = some_trips()
    expected, run = await continuous(some_trips()), await Run(trips).take_over()
    signals = in_pieces(trips, 100)
    run.inbox.put(b"{")
    await run.hear(*signals[1:])
    assert run.store.cells.as_lists() == expected.cells.as_lists()
    assert run.store.places.as_lists() == expected.places.as_lists()


async def test_no_step_closes_while_a_partition_was_not_seen_at_all() -> None:
    trips = some_trips()
    run = await Run(trips).take_over()
    await run.hear(trips.signal({0: (0, 200)}))
    assert run.store.steps() == []
    await run.hear(trips.signal({1: (0, 200)}))
    assert run.store.steps()


async def test_trips_expire_hour_by_hour_a_day_after_and_later_those_that_had_come_late() -> None:
    trips = InMemoryTrips(at(random_trips(100), "2016-03-01T12:00:00", 3600), [10.0] * 100)
    run = await Run(trips).take_over()
    await run.hear(*in_pieces(trips, 2))
    hours = [minute for first, until in run.store.expirations for minute in range(first, until, 60)]
    closed = run.store.standing_now.closed_until or 0
    noon = int(np.datetime64("2016-03-01T12:00", "m").astype(int))
    last = (closed - 24 * 60) // 60 * 60
    assert max(hours) + 60 == last
    assert [hours.count(hour) for hour in range(noon, last - 48 * 60, 60)] == [2] * ((last - 48 * 60 - noon) // 60)
    assert [hours.count(hour) for hour in range(last - 48 * 60, last, 60)] == [1] * 48
    assert run.store.standing_now.expired_until == last


def test_the_inbox_takes_no_more_than_fits_and_nothing_while_it_is_closed() -> None:
    inbox = Inbox(largest_bytes=10)
    inbox.put(b"lost")
    inbox.open()
    for message in (b"1234", b"5678", b"too much", b"90"):
        inbox.put(message)
    assert inbox.dropped == 1
    assert inbox.take(5) == [b"1234"]
    inbox.put_back([b"1234"])
    assert inbox.take(100) == [b"1234", b"5678", b"90"]
    assert not inbox.filled.is_set()
    inbox.put(b"1")
    inbox.close()
    assert inbox.take(100) == []


def test_one_message_is_taken_however_large_it_is() -> None:
    inbox = Inbox()
    inbox.open()
    inbox.put(b"x" * 100)
    assert inbox.take(1) == [b"x" * 100]
