"""What people see of the loop's signals: true numbers and states, and a loop that does not notice that it is looked at."""

from dataclasses import asdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.river.detectors import RiverDetector
from domain.features import CityClock
from domain.loop.decisions import Answered, ChampionChanged, Decision, Outcome, RequestKind
from domain.loop.loop import Loop
from domain.loop.signals import FEED_FAULT, Reading
from domain.loop.steps import Step
from domain.policy import Policy
from tests.steps import GRID, LENGTH, MONDAY, intake, step
from tests.unit.test_loop import kinds, minutes, new_loop, requests

HOUR = 60
POLICY = Policy()
ALWAYS = {"log_ratio", "completion_ratio", "trip_length", "missing_share", "refused_share", "prediction", FEED_FAULT}


def lived(loop: Loop, hours: float, shift: float = 0.0, **counts: int) -> tuple[list[dict[str, Reading]], list[Decision]]:
    """The readings of each step, by signal, and what was decided."""
    seen, decisions = [], []
    for minute in minutes(loop.minute, hours):
        given = step(minute, shift, inputs=intake(minute - LENGTH, **counts))
        decisions += loop.step(given)
        readings = loop.readings(given)
        assert len({each.signal for each in readings}) == len(readings)
        assert {each.minute for each in readings} == {minute}
        seen.append({each.signal: each for each in readings})
    return seen, decisions


def over(reading: Reading) -> bool:
    return reading.statistic is not None and reading.threshold is not None and reading.statistic > reading.threshold


def test_a_calm_day_is_ok_and_every_signal_is_read_in_every_step() -> None:
    seen, _ = lived(new_loop(), 26)
    assert all(each.keys() >= ALWAYS for each in seen)
    assert {reading.state for each in seen for reading in each.values()} == {"ok"}
    daily = [each for each in seen if each.keys() > ALWAYS]
    assert [set(each) - ALWAYS for each in daily] == [{"hour_mix", "area_mix"}]
    assert all(reading.samples > 0 for reading in daily[0].values() if reading.signal.endswith("_mix"))
    last = seen[-1]["log_ratio"]
    assert (last.samples, last.version, last.cooling_until) == (100, 1, None)
    assert last.value == pytest.approx(0.0, abs=1e-6)


def test_from_a_suspicion_to_an_episode_to_the_cooldown_and_back() -> None:
    loop = new_loop(cooldown_hours=10)
    lived(loop, 24)
    seen, decisions = lived(loop, 8, 0.4)
    states = [each["log_ratio"].state for each in seen]
    changes = [state for number, state in enumerate(states) if not number or states[number - 1] != state]
    assert changes == ["ok", "warning", "drift"]
    confirmed = next(each["log_ratio"] for each in seen if each["log_ratio"].state == "drift")
    assert confirmed.value == pytest.approx(0.4, abs=1e-3)
    assert confirmed.threshold in {tier.shift for tier in POLICY.confirmation}
    assert confirmed.statistic == pytest.approx(0.4, abs=1e-3)
    assert over(confirmed)
    assert "drift.alarm" in kinds(decisions)
    [asked] = requests(decisions)
    loop.learn(Answered(RequestKind.RETRAINING, asked.subject, Outcome.REFUSED, None, "no"))
    cooling, _ = lived(loop, 9, 0.0)
    until = asked.minute + 10 * HOUR
    for each in (reading["log_ratio"] for reading in cooling):
        assert (each.state, each.cooling_until) == (("cooling", until) if each.minute < until else ("ok", None))
    assert {each["log_ratio"].state for each in cooling} == {"cooling", "ok"}


def test_a_fault_of_the_feed_is_drift_of_the_share_that_shows_it() -> None:
    loop = new_loop()
    lived(loop, 24)
    seen, decisions = lived(loop, 4, no_passengers=95)
    assert "feed.fault" in kinds(decisions)
    began = next(number for number, each in enumerate(seen) if each[FEED_FAULT].state == "drift")
    before, last = seen[began - 1], seen[-1]
    assert not over(before["missing_share"])
    assert before["missing_share"].threshold == POLICY.feed.missing_share
    assert (last["missing_share"].state, last["refused_share"].state) == ("drift", "ok")
    assert last["missing_share"].threshold == POLICY.feed.missing_share / 2
    assert last["missing_share"].statistic == pytest.approx(0.95 - 0.02)
    assert last["missing_share"].value == pytest.approx(0.95 - 0.02)
    assert (last["log_ratio"].value, last["log_ratio"].samples) == (None, 0)
    assert last[FEED_FAULT].statistic == pytest.approx((0.95 - 0.02) / POLICY.feed.missing_share)
    assert last[FEED_FAULT].threshold == 0.5
    assert over(last[FEED_FAULT])


def test_events_that_are_all_refused_are_told() -> None:
    loop = new_loop()
    lived(loop, 2)
    seen, _ = lived(loop, 2, trips=0, refused=50)
    assert seen[-1]["refused_share"].state == "drift"
    assert seen[-1]["refused_share"].statistic == 1.0
    assert seen[-1]["trip_length"].value is None


def test_without_a_baseline_the_error_alone_is_read_and_without_a_champion_nothing() -> None:
    loop = Loop(POLICY, RiverDetector, GRID, CityClock())
    loop.step(step(MONDAY))
    assert loop.readings(step(MONDAY)) == []
    loop.learn(ChampionChanged(1, None))
    seen, _ = lived(loop, 1)
    assert [set(each) for each in seen] == [{"log_ratio"}] * 12
    assert seen[0]["log_ratio"].value is None


Life = st.lists(
    st.tuples(st.sampled_from([0.0, 0.0, 0.3, -0.4]), st.sampled_from([2, 40, 97]), st.integers(0, 30)), max_size=12
)


@settings(deadline=None, max_examples=20)
@given(Life)
def test_looking_changes_nothing(life: list[tuple[float, int, int]]) -> None:
    given: list[Step] = [
        step(minute, shift, inputs=intake(minute - LENGTH, no_passengers=missing, refused=refused))
        for number, (shift, missing, refused) in enumerate(life)
        for minute in minutes(MONDAY + number * 4 * HOUR, 4)
    ]
    blind, looked = new_loop(), new_loop()
    for each in given:
        decisions = looked.step(each)
        first = [asdict(reading) for reading in looked.readings(each)]
        assert [asdict(reading) for reading in looked.readings(each)] == first
        assert blind.step(each) == decisions
        assert blind.watcher is not None
        assert looked.watcher is not None
        assert (blind.phase, blind.watcher.suspicion) == (looked.phase, looked.watcher.suspicion)
