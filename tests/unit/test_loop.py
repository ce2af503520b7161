"""The closed loop as a state machine: from an alarm to an episode, a training, a trial, a promotion, a watch, and back."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any, cast

import pytest

from adapters.river.detectors import RiverDetector
from domain.features import CityClock
from domain.loop.decisions import (
    Answered,
    Approved,
    ChampionChanged,
    Decision,
    Fact,
    Outcome,
    Record,
    Request,
    RequestKind,
    ShadowChanged,
)
from domain.loop.journal import read, written
from domain.loop.loop import Loop, Phase
from domain.loop.steps import Step
from domain.policy import Policy, Retraining
from tests.steps import AREAS, GRID, LENGTH, MONDAY, baseline, intake, pairs, step

DAY = 24 * 60


def new_loop(**retraining) -> Loop:
    policy = replace(Policy(), retraining=Retraining(**{"least_labels": 200, "follow_ups": 0} | retraining))
    loop = Loop(policy, RiverDetector, GRID, CityClock())
    loop.minute = MONDAY
    loop.learn(ChampionChanged(1, baseline()))
    return loop


def minutes(first: int, hours: float) -> Iterator[int]:
    yield from range(first + LENGTH, first + int(hours * 60) + LENGTH, LENGTH)


def live(loop: Loop, hours: float, shift=0.0, **options) -> list[Decision]:
    decisions: list[Decision] = []
    for minute in minutes(loop.minute, hours):
        decisions += loop.step(step(minute, shift, **options))
    return decisions


def requests(decisions: list[Decision], kind: RequestKind | None = None) -> list[Request]:
    return [each for each in decisions if isinstance(each, Request) and kind in (None, each.kind)]


def kinds(decisions: list[Decision]) -> list[str]:
    return [each.kind for each in decisions if isinstance(each, Record)]


def phase_of(loop: Loop) -> Phase:
    """So that a type checker does not take an earlier look for the present."""
    return loop.phase


def until_training(loop: Loop) -> Request:
    live(loop, 24)
    [request] = requests(live(loop, 12, shift=0.4))
    return request


def until_trial(loop: Loop) -> Request:
    request = until_training(loop)
    loop.learn(Answered(RequestKind.RETRAINING, request.subject, Outcome.REGISTERED, 2, ""))
    loop.learn(ShadowChanged(2))
    return request


def compare(loop: Loop, hours: float, mean: float, champion: int = 1, shadow: int = 2) -> list[Decision]:
    decisions: list[Decision] = []
    for minute in minutes(loop.minute, hours):
        together = pairs(minute - LENGTH - 120, champion=champion, shadow=shadow, count=50, mean=mean)
        decisions += loop.step(step(minute, version=champion, compared=together))
    return decisions


def until_watch(loop: Loop) -> Request:
    until_trial(loop)
    [request] = requests(compare(loop, 4, 0.05))
    loop.learn(Answered(RequestKind.PROMOTION, request.subject, Outcome.DONE, None, ""))
    loop.learn(ChampionChanged(2, baseline()))
    loop.learn(ShadowChanged(1))
    return request


def test_calm_days_ask_for_nothing() -> None:
    loop = new_loop()
    assert live(loop, 72) == []
    assert loop.phase is Phase.WATCHING


def test_a_lasting_shift_is_confirmed_with_its_size_and_asks_for_one_training() -> None:
    loop = new_loop()
    live(loop, 24)
    decisions = live(loop, 48, shift=0.4)
    [confirmed] = [each for each in decisions if each.kind == "drift.confirmed"]
    [request] = requests(decisions)
    assert "49% longer" in confirmed.reason
    assert "the whole city" in confirmed.reason
    assert request.kind is RequestKind.RETRAINING
    assert request.subject == confirmed.subject == "episode 1"
    assert loop.phase is Phase.TRAINING


def test_the_training_is_told_when_the_change_began() -> None:
    loop = new_loop()
    live(loop, 24)
    began = loop.minute - 120  # cohorts that become mature now began so long ago
    [request] = requests(live(loop, 12, shift=0.4))
    assert request.body["since_break"] == pytest.approx(began, abs=60)
    assert request.body["as_of"] == request.minute


def test_an_alarm_alone_never_asks_for_a_training() -> None:
    """A shift of two hours alarms; the labels that follow show none."""
    loop = new_loop()
    live(loop, 24)
    decisions = live(loop, 2, shift=0.4) + live(loop, 24 * 20)
    assert "drift.alarm" in kinds(decisions)
    assert "drift.dismissed" in kinds(decisions)
    assert requests(decisions) == []


def test_a_change_of_one_area_is_told_from_one_of_the_city() -> None:
    loop = new_loop()
    live(loop, 24)
    decisions = live(loop, 48, shift={AREAS[0]: 0.4, AREAS[1]: 0.0})
    [confirmed] = [each for each in decisions if each.kind == "drift.confirmed"]
    assert isinstance(confirmed, Record)
    assert confirmed.details["cause"] == "local_change"
    assert confirmed.details["segments"] == [AREAS[0]]
    assert GRID.name(AREAS[0]) in confirmed.reason


def test_a_refused_training_leaves_the_champion_and_waits_for_the_cooldown() -> None:
    loop = new_loop(cooldown_hours=24)
    request = until_training(loop)
    loop.learn(Answered(RequestKind.RETRAINING, request.subject, Outcome.REFUSED, None, "labels are stale"))
    assert loop.phase is Phase.WATCHING
    decisions = live(loop, 47, shift=0.4)
    asked = requests(decisions)
    assert len(asked) == 1
    assert asked[0].minute - request.minute >= DAY
    assert "retraining.held" in kinds(decisions)


def test_flapping_asks_for_at_most_one_training_a_cooldown() -> None:
    loop = new_loop(cooldown_hours=48)
    live(loop, 24)
    asked: list[int] = []
    for turn in range(20):
        for request in requests(live(loop, 12, shift=0.4 * (turn % 2))):
            asked.append(request.minute)
            loop.learn(Answered(request.kind, request.subject, Outcome.REFUSED, None, ""))
    assert asked
    assert all(later - earlier >= 2 * DAY for earlier, later in pairwise(asked))


def test_the_daily_budget_bounds_trainings() -> None:
    loop = new_loop(cooldown_hours=0, daily_budget=1)
    first = until_training(loop)
    loop.learn(Answered(first.kind, first.subject, Outcome.REFUSED, None, ""))
    [second] = requests(live(loop, 30, shift=0.4))
    assert second.minute - first.minute >= DAY


def test_manual_approval_holds_the_training_until_somebody_agrees() -> None:
    loop = new_loop(approval="manual")
    live(loop, 24)
    decisions = live(loop, 12, shift=0.4)
    assert requests(decisions) == []
    assert loop.phase is Phase.HELD
    loop.learn(Approved("episode 1"))
    [request] = requests(live(loop, 2, shift=0.4))
    assert request.kind is RequestKind.RETRAINING


def test_a_better_challenger_is_promoted_and_then_watched_against_the_one_before() -> None:
    loop = new_loop()
    request = until_watch(loop)
    assert request.kind is RequestKind.PROMOTION
    assert request.body["version"] == 2
    assert "version 2 is 1.50 min" in request.reason
    assert "closer to the truth than version 1" in request.reason
    assert phase_of(loop) is Phase.PROBATION
    decisions = compare(loop, 6, -0.05, champion=2, shadow=1)
    assert "watch.passed" in kinds(decisions)
    assert [each.kind for each in requests(decisions)] == [RequestKind.DISMISSAL]
    assert phase_of(loop) is Phase.WATCHING


def test_a_worse_challenger_is_dismissed() -> None:
    loop = new_loop()
    until_trial(loop)
    [request] = requests(compare(loop, 4, -0.05))
    assert request.kind is RequestKind.DISMISSAL
    assert "worse" in request.reason
    assert "further from the truth" in request.reason
    assert loop.phase is Phase.WATCHING


def test_a_challenger_that_is_no_better_is_dismissed_in_time() -> None:
    loop = new_loop()
    until_trial(loop)
    [request] = requests(compare(loop, 24 * 15, 0.0))
    assert request.kind is RequestKind.DISMISSAL
    assert "not shown to be better" in request.reason


def test_a_new_champion_that_is_worse_is_rolled_back() -> None:
    loop = new_loop()
    until_watch(loop)
    [request] = requests(compare(loop, 6, 0.05, champion=2, shadow=1))
    assert request.kind is RequestKind.ROLLBACK
    loop.learn(Answered(request.kind, request.subject, Outcome.DONE, None, ""))
    loop.learn(ChampionChanged(1, baseline(), rolled_back=True))
    assert loop.phase is Phase.WATCHING


@pytest.mark.parametrize(
    ("name", "inputs"),
    [
        ("dead_field", {"no_passengers": 100}),
        ("refused", {"refused": 40}),
        ("clock", {"late": 60}),
        ("length_unit", {"log_km": 1.0 - 0.476}),
    ],
)
def test_a_fault_of_the_feed_alarms_heals_and_never_trains(name: str, inputs: dict[str, Any]) -> None:
    """The fault spoils the predictions too: by itself, that shift would be confirmed within hours."""
    loop = new_loop()
    live(loop, 24)
    decisions: list[Decision] = []
    for minute in minutes(loop.minute, 24):
        decisions += loop.step(step(minute, 0.4, inputs=intake(minute - LENGTH, **inputs)))
    faults = [each for each in decisions if each.kind == "feed.fault"]
    assert [fault.subject for fault in faults] == [name]
    decisions += live(loop, 2.5, shift=0.4)  # cohorts of the fault become mature for two more hours
    decisions += live(loop, 24)
    assert "feed.healed" in kinds(decisions)
    assert requests(decisions) == []


def test_stretches_of_a_faulty_feed_are_kept_from_later_trainings() -> None:
    loop = new_loop()
    live(loop, 24)
    began = loop.minute
    for minute in minutes(loop.minute, 3):
        loop.step(step(minute, inputs=intake(minute - LENGTH, no_passengers=100)))
    live(loop, 24)
    [request] = requests(live(loop, 12, shift=0.4))
    [[first, until]] = cast("list[list[int]]", request.body["exclude"])
    assert first <= began + 60
    assert until >= began + 180


def test_a_champion_changed_by_hand_is_watched_anew() -> None:
    loop = new_loop()
    live(loop, 24)
    live(loop, 4, shift=0.4)
    loop.learn(ChampionChanged(7, baseline()))
    assert requests(live(loop, 3, shift=0.4, version=1)) == []  # trips that the old champion predicted
    assert loop.phase is Phase.WATCHING


def test_a_version_without_a_baseline_learns_first_what_is_normal() -> None:
    loop = new_loop()
    loop.learn(ChampionChanged(9, None))
    assert requests(live(loop, 48, shift=0.3, version=9)) == []
    [request] = requests(live(loop, 24, shift=0.7, version=9))
    assert request.kind is RequestKind.RETRAINING


def test_after_a_thin_training_another_follows_when_there_is_more_to_learn_from() -> None:
    loop = new_loop(follow_ups=1, cooldown_hours=0)
    until_watch(loop)
    decisions = compare(loop, 6, -0.05, champion=2, shadow=1)
    decisions += live(loop, 96, version=2)
    asked = requests(decisions, RequestKind.RETRAINING)
    assert [each.body["cause"] for each in asked] == ["follow_up"]


def test_a_season_is_corrected_once_and_has_no_follow_ups() -> None:
    """A shift of a fifth lasts, and is learnt; what comes after it is not trained again and again."""
    loop = new_loop(follow_ups=3, cooldown_hours=0)
    live(loop, 24)
    [request] = requests(live(loop, 72, shift=0.22))
    loop.learn(Answered(request.kind, request.subject, Outcome.REGISTERED, 2, ""))
    loop.learn(ShadowChanged(2))
    [promotion] = requests(compare(loop, 4, 0.05))
    loop.learn(Answered(promotion.kind, promotion.subject, Outcome.DONE, None, ""))
    loop.learn(ChampionChanged(2, baseline()))
    loop.learn(ShadowChanged(1))
    compare(loop, 6, -0.05, champion=2, shadow=1)
    assert requests(live(loop, 24 * 30, version=2)) == []


def test_within_a_quarter_only_a_break_is_a_reason_for_another_training() -> None:
    loop = new_loop(follow_ups=0, cooldown_hours=0)
    live(loop, 24)
    [first] = requests(live(loop, 96, shift=0.22))
    loop.learn(Answered(first.kind, first.subject, Outcome.REFUSED, None, ""))
    assert requests(live(loop, 24 * 20, shift=0.22)) == []
    [second] = requests(live(loop, 24, shift=0.45))
    assert second.kind is RequestKind.RETRAINING


def test_a_challenger_made_by_hand_is_compared_too() -> None:
    loop = new_loop()
    live(loop, 24)
    loop.learn(ShadowChanged(5))
    assert loop.phase is Phase.SHADOWING
    [request] = requests(compare(loop, 4, 0.05, shadow=5))
    assert (request.kind, request.body["version"]) == (RequestKind.PROMOTION, 5)


def test_a_challenger_withdrawn_by_hand_ends_its_trial() -> None:
    loop = new_loop()
    until_trial(loop)
    assert kinds(loop.learn(ShadowChanged(None))) == ["challenger.withdrawn"]
    assert loop.phase is Phase.WATCHING


def test_the_same_steps_and_facts_give_the_same_decisions_after_the_journal() -> None:
    """Whoever reads the journal knows exactly what the one who wrote it knew."""
    given: list[Step | Fact] = [ChampionChanged(1, baseline())]
    given += [step(minute) for minute in minutes(MONDAY, 24)]
    given += [step(minute, 0.4) for minute in minutes(MONDAY + DAY, 12)]
    given += [Answered(RequestKind.RETRAINING, "episode 1", Outcome.REGISTERED, 2, ""), ShadowChanged(2)]
    given += [
        step(minute, compared=pairs(minute - 125, champion=1, shadow=2, count=50, mean=0.05))
        for minute in minutes(MONDAY + DAY + 720, 6)
    ]

    def decisions(inputs) -> list[Decision]:
        loop = Loop(Policy(), RiverDetector, GRID, CityClock())
        return [decision for each in inputs for decision in (loop.step(each) if hasattr(each, "mature") else loop.learn(each))]

    first = decisions(given)
    assert [each.kind for each in requests(first)] == [RequestKind.RETRAINING, RequestKind.PROMOTION]
    assert decisions([read(*written(each)) for each in given]) == first


def test_a_schedule_trains_without_any_drift() -> None:
    loop = new_loop(schedule_hours=24, cooldown_hours=0)
    asked: list[int] = []
    for _ in range(4):
        for request in requests(live(loop, 24)):
            asked.append(request.minute)
            assert request.body["cause"] == "schedule"
            loop.learn(Answered(request.kind, request.subject, Outcome.REFUSED, None, ""))
    assert len(asked) == 3
    assert all(later - earlier == DAY for earlier, later in pairwise(asked))


def test_one_day_of_many_pairs_is_no_proof() -> None:
    """Ten thousand pairs that agree on a slight advantage share one day's weather; several days of them do not."""
    loop = new_loop()
    until_trial(loop)
    assert requests(compare(loop, 12, 0.006)) == []
    assert [each.kind for each in requests(compare(loop, 24 * 12, 0.006))] == [RequestKind.PROMOTION]
