"""Health by progress: who stands still though nothing is missing is not alive, who waits for the outside is not ready."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass

import pytest
from prometheus_client import CollectorRegistry

from adapters.health.process import LOOK_SECONDS, LoopLag, watched_loop
from adapters.health.server import Health, serving
from batch import patience
from batch.health import STALL_SECONDS, Beating, Pulse, beating
from batch.patience import patiently
from cli.embedded.ports import HOST, free_ports
from domain.errors import DatabaseUnreachable, PortInUse
from stream.health import STALL_SECONDS as STREAM_STALL_SECONDS
from stream.health import Progress, Readiness
from stream.metrics import Waiting


@dataclass
class Wall:
    """A clock that stands until somebody moves it."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_partition_that_stands_still_with_events_behind_it_is_no_life() -> None:
    clock = Wall()
    progress, readiness = Progress(clock), Readiness()
    assert progress.alive() == (True, {"alive": True, "stalled_partitions": [], "partitions": {}})
    assert readiness.ready()[0] is False
    for what in ("database", "broker", "champion"):
        readiness.up(what)
    assert readiness.ready() == (True, {"ready": True, "missing": {}})
    readiness.degraded["registry"] = "does not answer"
    assert readiness.ready() == (True, {"ready": True, "missing": {}, "degraded": {"registry": "does not answer"}})
    progress.note({0: 5, 1: 0}, {0: 7, 1: 9}, waiting=False)
    clock.now += STREAM_STALL_SECONDS + 1
    alive, said = progress.alive()
    assert not alive
    assert said["stalled_partitions"] == [0]
    progress.note({0: 5, 1: 0}, {0: 7, 1: 9}, waiting=True)
    assert progress.alive()[0]


def test_each_partition_tells_how_far_it_is_and_since_when() -> None:
    clock = Wall()
    progress = Progress(clock)
    progress.note({0: 5, 1: 0}, {0: 7, 1: 9}, waiting=False)
    clock.now += 4
    progress.note({0: 3}, {0: 9, 1: 9}, waiting=True)
    clock.now += 1
    assert progress.partitions() == {
        "0": {"next_offset": 9, "lag": 3, "still_seconds": 1.0},
        "1": {"next_offset": 9, "lag": 0, "still_seconds": 5.0},
    }
    progress.note({}, {}, waiting=False)
    assert progress.partitions() == {}


def test_work_that_waits_has_the_last_word_over_a_database_that_answers() -> None:
    readiness = Readiness()
    for what in ("database", "broker", "champion"):
        readiness.up(what)
    readiness.waits("write", "database", "the disk is full")
    readiness.up("database")
    assert readiness.ready() == (False, {"ready": False, "missing": {"database": "the disk is full"}})
    readiness.goes_on("write")
    assert readiness.ready()[0]


def test_a_trainer_is_alive_while_its_loops_turn_or_its_training_runs() -> None:
    clock, trains = Wall(), False
    pulse = Pulse(lambda: trains, clock)
    pulse.beat("retraining")
    pulse.beat("first_champion")
    pulse.ended("first_champion")
    clock.now += STALL_SECONDS + 1
    assert pulse.alive() == (False, {"alive": False, "stalled": ["retraining"], "training": False})
    trains = True
    assert pulse.alive() == (True, {"alive": True, "stalled": ["retraining"], "training": True})
    trains = False
    pulse.beat("retraining")
    assert pulse.alive()[0]


async def test_patience_beats_at_every_attempt_and_says_what_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "LONGEST_WAIT_SECONDS", 0.001)
    clock = Wall()
    pulse = Pulse(clock=clock)
    pulse.goes_on("database")
    seen: list[object] = []

    async def work() -> str:
        clock.now += STALL_SECONDS + 1  # longer than a beat is good for, were there no other
        seen.append((pulse.alive()[1]["stalled"], dict(pulse.ready()[1]["missing"])))  # type: ignore[call-overload]
        pulse.beat("retraining")
        if len(seen) < 3:
            raise DatabaseUnreachable("it is away")
        return "done"

    beating.set(Beating(pulse, "retraining"))
    assert await patiently(work, "the database") == "done"
    waits = {"the database": "it is away"}
    assert seen == [(["retraining"], {}), (["retraining"], waits), (["retraining"], waits)]
    assert pulse.ready() == (True, {"ready": True, "missing": {}})


def test_lag_in_seconds_is_the_age_of_the_oldest_event_at_most() -> None:
    waiting = Waiting(since=100.0)
    assert waiting.seconds({0: 5, 1: 0}, now=103.0) == {0: 3.0, 1: 0.0}  # nothing known yet but the start
    waiting.reached({0: 40_000}, now=104.0)
    assert waiting.seconds({0: 5}, now=104.0) == {0: 64.0}  # catching up with what is a minute old
    waiting.reached({0: 104_000, 1: 60_000}, now=105.0)
    assert waiting.seconds({0: 5}, now=105.0) == {0: 1.0}
    assert waiting.seconds({0: 0, 1: 0}, now=200.0) == {0: 0.0, 1: 0.0}
    assert waiting.seconds({0: 1, 1: 1}, now=201.0) == {0: 1.0, 1: 1.0}  # quiet for long, and then an event
    assert waiting.seconds({0: 1}, now=150.0) == {0: 0.0}  # another machine's clock
    waiting.reached({0: 3_900_000}, now=300.0)  # an hour ahead of ours: its events wait no shorter for that
    assert waiting.seconds({0: 1}, now=340.0) == {0: 40.0}


async def test_an_event_loop_that_was_held_up_says_so() -> None:
    times = iter([10.0, 10.0 + LOOK_SECONDS + 0.25, 20.0])
    lag = LoopLag(lambda: next(times))
    assert lag.worst() == 0.0
    with pytest.raises((StopIteration, RuntimeError)):
        await lag.watch()
    assert lag.worst() == pytest.approx(0.25)


async def test_the_three_answers_over_http() -> None:
    registry, well = CollectorRegistry(), True
    health = Health(lambda: (well, {"alive": well}), lambda: (False, {"missing": {"a": "why"}}), lambda: b"a_metric 1\n")
    port = free_ports(1)[0]
    async with serving(health, port, HOST, "TRIPCAST_X_PORT"), watched_loop(registry):
        ask = _asking(port)
        assert await asyncio.to_thread(ask, "livez") == (200, {"alive": True})
        assert await asyncio.to_thread(ask, "readyz") == (503, {"missing": {"a": "why"}})
        assert await asyncio.to_thread(ask, "metrics") == (200, b"a_metric 1\n")
        well = False
        assert (await asyncio.to_thread(ask, "livez"))[0] == 503
        with pytest.raises(PortInUse, match="TRIPCAST_X_PORT"):
            async with serving(health, port, HOST, "TRIPCAST_X_PORT"):
                pass
    assert registry.get_sample_value("tripcast_event_loop_lag_seconds") is not None


def _asking(port: int) -> Callable[[str], tuple[int, object]]:
    def ask(path: str) -> tuple[int, object]:
        try:
            with urllib.request.urlopen(f"http://{HOST}:{port}/{path}", timeout=5) as answer:
                status, body = answer.status, answer.read()
        except urllib.error.HTTPError as error:
            status, body = error.code, error.read()
        return status, body if path == "metrics" else json.loads(body)

    return ask
