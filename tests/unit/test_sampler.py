"""The sampler over a world that a test moves: rates, lag, faults, and minutes that are kept."""

import asyncio
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from api.checks import Checks
from api.reads.sampler import Sampler
from domain.entities.service import LATENCY_BUCKETS, ServiceMinute
from domain.entities.streams import StreamSource
from tests.fakes.sources import BEGAN, World


@pytest.fixture
def world() -> World:
    return World()


async def _flow(world: World, sampler: Sampler, seconds: int, received: int = 20, scored: int = 10) -> None:
    for _ in range(seconds):
        world.produce(received)
        world.store(scored)
        await world.after(1.0, sampler, ticks=2)


async def test_rates_are_what_happened_divided_by_the_time_that_passed(world: World) -> None:
    sampler = world.sampler()
    await world.after(0.5, sampler)
    await _flow(world, sampler, 30)
    seen = sampler.memory.seconds.between(BEGAN.timestamp() + 2, BEGAN.timestamp() + 30)
    assert seen.rate("received") == pytest.approx(20)
    assert seen.rate("scored") == pytest.approx(10)


async def test_a_worker_that_starts_anew_neither_halts_nor_doubles_the_count(world: World) -> None:
    sampler = world.sampler()
    await world.after(0.5, sampler)
    await _flow(world, sampler, 5)
    world.restart_worker()
    await _flow(world, sampler, 5)
    assert sampler.memory.seconds.all().total("scored") + sampler.memory.slot(world.now.timestamp()).scored == pytest.approx(
        100
    )


async def test_what_was_done_before_we_looked_is_not_counted(world: World) -> None:
    world.metrics._scored.inc(1_000_000)
    world.ends = {0: 5_000_000, 1: 0}
    world.stored = dict(world.ends)
    sampler = world.sampler()
    await world.after(2, sampler, ticks=4)
    await world.after(2, sampler)
    assert sampler.memory.seconds.all().total("scored") == 0
    assert sampler.memory.seconds.all().total("received") == 0


async def test_lag_rises_while_the_worker_is_dead(world: World) -> None:
    sampler = world.sampler()
    await world.after(0.5, sampler)
    await _flow(world, sampler, 5, scored=20)
    world.worker = False
    await world.after(0.5, sampler)
    for _ in range(8):
        world.produce(5)
        await world.after(1.0, sampler)
    assert sampler.look.lag_events == 40
    assert sampler.look.oldest is not None
    assert sampler.look.oldest.seconds == pytest.approx(7)
    assert sampler.verdict().state == "worker_stopped"


async def test_the_pill_turns_with_the_next_look_and_back(world: World) -> None:
    sampler = world.sampler()
    world.metrics._champion.labels("3", "xgboost", "run").set(1)
    await world.after(0.5, sampler)
    await _flow(world, sampler, 2)
    assert sampler.verdict().state == "live"
    world.database = False
    await world.after(0.5, sampler)
    assert sampler.verdict().state == "database_unreachable"
    world.database = True
    await world.after(0.5, sampler)
    assert sampler.verdict().state == "live"
    world.worker = False
    await world.after(1.0, sampler, ticks=2)
    assert sampler.verdict().state == "worker_stopped"
    world.worker = True
    await _flow(world, sampler, 1)
    assert sampler.verdict().state == "live"


async def test_checks_tell_what_is_away_and_why(world: World) -> None:
    checks = Checks(lambda: world.now)
    sampler = world.sampler(checks)
    await world.after(0.5, sampler)
    assert all(checks.get(name).ok for name in ("database", "broker", "worker"))
    world.database = world.broker = world.worker = False
    await world.after(0.5, sampler)
    assert [checks.get(name).detail for name in ("database", "broker")] == ["PostgreSQL: away", "Kafka: away"]
    assert checks.get("worker").detail == "no answer from http://worker"
    assert checks.get("database").since == world.now


async def test_while_the_broker_is_away_received_is_unknown_and_then_spread_over_the_gap(world: World) -> None:
    sampler = world.sampler()
    await world.after(0.5, sampler)
    await _flow(world, sampler, 4)
    world.broker = False
    await _flow(world, sampler, 10)
    gap = sampler.memory.seconds.between(BEGAN.timestamp() + 6, BEGAN.timestamp() + 13)
    assert gap.rate("received") is None
    assert gap.rate("scored") == pytest.approx(10)
    world.broker = True
    await _flow(world, sampler, 3)
    assert sampler.memory.seconds.between(BEGAN.timestamp() + 14, BEGAN.timestamp() + 16).rate("received") == pytest.approx(
        20, rel=0.1
    )


async def test_a_topic_that_was_created_anew_has_no_rows_yet(world: World) -> None:
    sampler = world.sampler()
    world.ends = {0: 100, 1: 0}
    world.stored = {0: 100, 1: 0}
    await world.after(0.5, sampler)
    assert sampler.look.lag_events == 0
    world.topic = StreamSource("cluster", "trip-events", uuid.UUID(int=2))
    world.ends = {0: 7, 1: 0}
    await world.after(0.5, sampler)
    assert sampler.look.lag_events == 7


async def test_every_whole_minute_is_kept_once_and_a_new_start_goes_on_from_there(world: World) -> None:
    sampler = world.sampler()
    await world.after(0.5, sampler)
    world.newest = datetime(2016, 3, 1, tzinfo=UTC)
    await _flow(world, sampler, 130)
    await asyncio.sleep(0)
    await sampler.stop()
    assert [minute.minute for minute in world.minutes] == [BEGAN + timedelta(minutes=number) for number in range(3)]
    assert world.written == 3
    whole = world.minutes[1]
    assert (whole.seconds_seen, whole.received, whole.scored) == (60, 1200, 600)
    assert whole.event_time == world.newest
    assert sum(minute.received for minute in world.minutes) == 130 * 20
    again = world.sampler()
    await world.after(0.5, again)
    await world.after(0.5, again)
    assert again.memory.minutes.all().at.tolist() == [minute.minute.timestamp() for minute in world.minutes[:2]]
    await again.stop()


async def test_minutes_that_could_not_be_written_are_written_when_the_database_is_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.reads.memory.RETRY_SECONDS", 0.0)
    sampler = world.sampler()
    await world.after(0.5, sampler)
    await asyncio.sleep(0)
    world.database = False
    await _flow(world, sampler, 130)
    assert world.minutes == []
    world.database = True
    while len(world.minutes) < 2:
        await world.after(0.5, sampler)
        await asyncio.sleep(0)
    assert world.minutes[1].received == 1200
    await sampler.stop()


async def test_event_time_of_then(world: World) -> None:
    sampler = world.sampler()
    for minute in range(3):
        world.newest = datetime(2016, 3, 1, minute, tzinfo=UTC)
        await world.after(60, sampler, ticks=60)
    at = sampler.memory.event_time_at
    assert at(BEGAN + timedelta(seconds=90)) == datetime(2016, 3, 1, 1, tzinfo=UTC)
    assert at(BEGAN - timedelta(hours=1)) == datetime(2016, 3, 1, 0, tzinfo=UTC)
    assert at(world.now) == world.newest


async def test_a_day_of_minutes_is_known_after_a_start(world: World) -> None:
    counts = (0,) * (len(LATENCY_BUCKETS) + 1)
    world.minutes = [
        ServiceMinute(BEGAN - timedelta(minutes=ago), 60, 600, 300, 1, counts, {"0": 1}, 0.1, None)
        for ago in range(1440, 0, -1)
    ]
    sampler = world.sampler()
    await world.after(0.5, sampler)
    await asyncio.sleep(0)
    found = sampler.memory.past(world.now.timestamp() - 86_400, world.now.timestamp())
    assert len(found.stretch) >= 1439
    assert found.stretch.rate("scored") == pytest.approx(5)
    await sampler.stop()


async def test_a_look_that_fails_in_a_way_that_nobody_foresaw_is_not_the_last(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.reads.sampler.TICK_SECONDS", 0.001)
    sampler, ticked = world.sampler(), asyncio.Event()
    tick, failures = sampler.tick, iter([True, True])

    async def sometimes() -> None:
        if next(failures, False):
            raise RuntimeError("a mistake of ours")
        await tick()
        ticked.set()

    monkeypatch.setattr(sampler, "tick", sometimes)
    running = asyncio.create_task(sampler.run())
    await asyncio.wait_for(ticked.wait(), 5)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
