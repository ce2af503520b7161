"""The city live: every event once, in time, across stops."""

from collections import Counter

import numpy as np
import pytest

from cli.sources.bootstrap import JsonEvents
from cli.sources.city_events import CityEvents, Kind
from cli.sources.knobs import Knobs, TurnedKnobs
from cli.sources.simulation import Journey, Simulation
from cli.sources.simulation_state import SimulationState
from domain.city.city import MINUTE, City
from domain.errors import BrokerUnreachable, InvalidInput
from domain.features import CityClock
from tests.fakes.waiting import FakeWaiting

START = np.datetime64("2025-01-06T12:00:00", "us")
FAR = np.datetime64("2030-01-01", "us")


class Feed:
    """Keeps what is published and when."""

    def __init__(self, waiting: FakeWaiting, knobs: Knobs | None = None) -> None:
        self.waiting, self.knobs = waiting, knobs or Knobs()
        self.events: list[tuple[bytes, bytes]] = []
        self.at: list[float] = []

    async def publish(self, keys: list[bytes], values: list[bytes]) -> None:
        self.events += zip(keys, values, strict=True)
        self.at += [self.waiting.now] * len(keys)

    async def run(
        self, journey: Journey, minutes: int, speed: float = float("inf"), latest: np.datetime64 = FAR
    ) -> Counter[Kind]:
        simulation = Simulation(
            city=City(7, CityClock()),
            events=CityEvents(JsonEvents()),
            publish=self.publish,
            waiting=self.waiting,
            turned=lambda _: TurnedKnobs(self.knobs, START),
            save=lambda _: None,
            latest=lambda: latest,
            trips_per_city_second=1.0,
            speed=speed,
        )
        return await simulation(journey, START + minutes * MINUTE)


class Interrupted(Feed):
    """Every third batch finds no broker."""

    away = True

    def __init__(self, waiting: FakeWaiting) -> None:
        super().__init__(waiting)
        self.calls = 0
        self.failures: list[int] = []

    async def publish(self, keys: list[bytes], values: list[bytes]) -> None:
        self.calls += 1
        if self.away and self.calls % 3 == 0:
            self.failures.append(self.calls)
            raise BrokerUnreachable("away")
        await super().publish(keys, values)


def first() -> Journey:
    return Journey(START, START)


async def test_the_same_city_gives_the_same_feed_at_any_speed():
    fast, slow = Feed(FakeWaiting()), Feed(FakeWaiting())
    await fast.run(first(), 30)
    await slow.run(first(), 30, speed=60.0)

    assert len(fast.events) > 1000
    assert fast.events == slow.events


async def test_city_time_passes_at_the_given_speed():
    feed = Feed(FakeWaiting())
    await feed.run(first(), 30, speed=60.0)

    assert feed.waiting.now == pytest.approx(30, abs=0.1)
    assert feed.at == sorted(feed.at)
    assert np.diff(feed.at).max() < 2


async def test_a_stopped_city_goes_on_where_it_stopped(tmp_path):
    whole = Feed(FakeWaiting(), Knobs(late=0.2, poison=0.1))
    await whole.run(first(), 30)
    state, parts = SimulationState(tmp_path / "city.json", 7), Feed(FakeWaiting(stop_at=11.3), Knobs(late=0.2, poison=0.1))
    journey = first()
    await parts.run(journey, 30, speed=60.0)
    state.save(journey)
    assert 0 < len(parts.events) < len(whole.events)

    journey = state.load() or first()
    parts.waiting = FakeWaiting()
    await parts.run(journey, 30, speed=60.0)

    assert parts.events == whole.events


async def test_what_the_broker_did_not_take_is_published_when_it_is_back():
    whole, interrupted = Feed(FakeWaiting()), Interrupted(FakeWaiting())
    await whole.run(first(), 60)
    journey = first()
    while len(interrupted.failures) < 5:
        with pytest.raises(BrokerUnreachable):
            await interrupted.run(journey, 60)
    interrupted.away = False
    await interrupted.run(journey, 60)

    assert interrupted.events == whole.events


async def test_no_event_lies_in_the_future():
    latest = START + 5 * MINUTE
    feed = Feed(FakeWaiting(stop_at=100.0))
    journey = first()
    await feed.run(journey, 60, speed=600.0, latest=latest)

    assert journey.now == latest
    assert feed.waiting.stopped


async def test_counts_tell_what_was_published():
    feed = Feed(FakeWaiting(), Knobs(duplicates=0.1, poison=0.1))
    published = await feed.run(first(), 30)

    assert published.total() == len(feed.events)
    assert all(published[kind] > 0 for kind in Kind)


def test_the_state_of_another_city_is_refused(tmp_path):
    SimulationState(tmp_path / "city.json", 7).save(first())

    with pytest.raises(InvalidInput, match="--seed 7"):
        SimulationState(tmp_path / "city.json", 8).load()


@pytest.mark.parametrize("content", ["", "{}", '{"now": "yesterday"}', "[1]"])
def test_a_damaged_state_is_refused(tmp_path, content: str):
    path = tmp_path / "city.json"
    path.write_text(content)

    with pytest.raises(InvalidInput, match="delete it"):
        SimulationState(path, 7).load()


async def test_a_simulation_that_is_told_to_stop_while_the_broker_is_away_ends_well_and_keeps_what_is_due():
    waiting, journey = FakeWaiting(), first()

    async def stopped_meanwhile(keys: list[bytes], values: list[bytes]) -> None:
        waiting.stop_at = waiting.now
        raise BrokerUnreachable("silent")

    stopped, resumed, whole = Feed(waiting), Feed(FakeWaiting()), Feed(FakeWaiting())
    stopped.publish = stopped_meanwhile  # type: ignore[method-assign]
    assert (await stopped.run(journey, 3)).total() == 0
    await resumed.run(journey, 3)
    await whole.run(first(), 3)
    assert sorted(resumed.events) == sorted(whole.events) != []
