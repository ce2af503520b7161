"""Episodes of the loop as seven steps, at every stage of their lives."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.reads.retraining import NAMES, retraining
from domain.entities.models import LifecycleEvent
from domain.entities.story import AskedFor, Story, Verdict
from schemas.http.snapshot import Episode

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
SUBJECT = "episode 3"
CONFIRMED = ("drift.confirmed", SUBJECT, {"cause": "world_change"})
FINISHED = (
    "retraining.finished",
    SUBJECT,
    {"outcome": "registered", "version": 8, "candidate": "xgboost", "rmse_minutes": 4.256},
)
SHADOWING = ("challenger.shadowing", SUBJECT, {"version": 8})
PROMOTED = ("model.promoted", "version 8", {"version": 8, "request": SUBJECT})
GATES = (("rows", True, "12,000 rows"), ("time span", True, "30 h"), ("sound", True, "well"), ("slices", True, "none harmed"))


def told(
    *events: tuple[str, str, dict[str, Any]],
    requests: tuple[tuple[str, str | None], ...] = (),
    gates: tuple[tuple[str, bool, str], ...] = (),
) -> Story:
    def at(place: int) -> datetime:
        return NOON + timedelta(minutes=place)

    return Story(
        NOON,
        None,
        tuple(
            LifecycleEvent(kind, subject, "loop", f"why {kind}", at(n), details)
            for n, (kind, subject, details) in enumerate(events)
        ),
        tuple(
            AskedFor(kind, SUBJECT, f"why {kind}", NOON, at(n), at(n + 1) if outcome else None, outcome, 8, f"answer {outcome}")
            for n, (kind, outcome) in enumerate(requests)
        ),
        tuple(Verdict(SUBJECT, 8, gate, passed, reason, {}, at(n)) for n, (gate, passed, reason) in enumerate(gates)),
    )


def only(story: Story) -> Episode:
    [episode] = retraining(story, "training").episodes
    assert [step.name for step in episode.steps] == list(NAMES)
    return episode


def states(story: Story) -> list[str]:
    return [step.state for step in only(story).steps]


def test_nothing_has_happened_and_the_hint_says_what_would_start_it() -> None:
    found = retraining(told(), "watching")
    assert (found.episodes, found.phase) == ([], "watching")
    assert "tripcast train" in found.hint


@pytest.mark.parametrize(
    ("story", "expected"),
    [
        (told(CONFIRMED), "done waiting waiting waiting waiting waiting waiting"),
        (told(CONFIRMED, ("retraining.held", SUBJECT, {})), "done skipped current waiting waiting waiting waiting"),
        (told(CONFIRMED, requests=(("retraining", None),)), "done skipped current waiting waiting waiting waiting"),
        (
            told(CONFIRMED, requests=(("retraining", None),), gates=GATES[:2]),
            "done done current waiting waiting waiting waiting",
        ),
        (
            told(CONFIRMED, FINISHED, requests=(("retraining", "registered"),), gates=GATES),
            "done done done done waiting waiting waiting",
        ),
        (
            told(CONFIRMED, FINISHED, SHADOWING, requests=(("retraining", "registered"),), gates=GATES),
            "done done done done current waiting waiting",
        ),
        (
            told(CONFIRMED, FINISHED, SHADOWING, requests=(("retraining", "registered"), ("promotion", None)), gates=GATES),
            "done done done done done current waiting",
        ),
        (
            told(
                CONFIRMED,
                FINISHED,
                SHADOWING,
                PROMOTED,
                requests=(("retraining", "registered"), ("promotion", "done")),
                gates=GATES,
            ),
            "done done done done done done current",
        ),
        (
            told(
                CONFIRMED,
                FINISHED,
                SHADOWING,
                PROMOTED,
                ("watch.passed", SUBJECT, {}),
                requests=(("retraining", "registered"), ("promotion", "done"), ("dismissal", "done")),
                gates=GATES,
            ),
            "done done done done done done skipped",
        ),
        (
            told(
                CONFIRMED,
                FINISHED,
                SHADOWING,
                PROMOTED,
                ("model.rolled_back", "version 5", {"version": 5, "request": SUBJECT}),
                requests=(("retraining", "registered"), ("promotion", "done"), ("rollback", "done")),
                gates=GATES,
            ),
            "done done done done done done done",
        ),
    ],
)
def test_a_course_without_a_refusal(story: Story, expected: str) -> None:
    assert states(story) == expected.split()


def test_a_data_gate_refuses_with_its_reason_and_the_rest_is_skipped() -> None:
    gates = (("rows", False, "only 120 rows"), ("time span", True, "30 h"))
    finished = ("retraining.finished", SUBJECT, {"outcome": "refused", "why": "rows: only 120 rows"})
    episode = only(told(CONFIRMED, finished, requests=(("retraining", "refused"),), gates=gates))
    assert [step.state for step in episode.steps] == ["done", "refused", *["skipped"] * 5]
    assert episode.steps[1].text == "rows: only 120 rows"


def test_a_model_gate_refuses() -> None:
    gates = (*GATES[:3], ("slices", False, "nights are 20% worse"))
    episode = only(told(CONFIRMED, requests=(("retraining", "refused"),), gates=gates))
    by_name = {step.name: step for step in episode.steps}
    assert by_name["compare"].state == "refused"
    assert by_name["compare"].text == "slices: nights are 20% worse"
    assert [by_name[name].state for name in ("shadow", "promoted", "rolled back")] == ["skipped"] * 3


def test_a_challenger_that_is_not_better_is_refused_with_the_reason() -> None:
    requests = (("retraining", "registered"), ("dismissal", None))
    episode = only(told(CONFIRMED, FINISHED, SHADOWING, requests=requests, gates=GATES))
    assert [step.state for step in episode.steps] == ["done", "done", "done", "done", "done", "refused", "skipped"]
    assert episode.steps[5].text == "why dismissal"


def test_a_failed_training_says_why() -> None:
    episode = only(told(CONFIRMED, ("retraining.failed", SUBJECT, {}), requests=(("retraining", "failed"),)))
    assert (episode.steps[2].state, episode.steps[2].text) == ("refused", "why retraining.failed")


def test_the_training_step_says_what_came_of_it() -> None:
    episode = only(told(CONFIRMED, FINISHED, requests=(("retraining", "registered"),), gates=GATES))
    assert episode.steps[2].text == "xgboost, version 8, RMSE 4.26 min"
    assert (episode.cause, episode.began_at) == ("drift in the whole city", NOON)


def test_a_training_by_hand_is_an_episode_too() -> None:
    by_hand = ("retraining.finished", "version 1", {"outcome": "promoted", "version": 1, "candidate": "xgboost"})
    [episode] = retraining(told(by_hand, ("model.promoted", "version 1", {"version": 1})), None).episodes
    assert (episode.subject, episode.cause) == ("version 1", "by hand")
    found = {step.name: step.state for step in episode.steps}
    assert (found["trigger"], found["train"], found["promoted"], found["rolled back"]) == ("done", "done", "done", "waiting")


def test_a_watch_ends_when_somebody_makes_another_version_champion() -> None:
    events = (CONFIRMED, FINISHED, SHADOWING, PROMOTED, ("model.promoted", "version 9", {"version": 9}))
    story = told(*events, requests=(("retraining", "registered"), ("promotion", "done")), gates=GATES)
    assert retraining(story, None).episodes[0].steps[6].state == "skipped"


def test_episodes_come_newest_first() -> None:
    older = ("drift.confirmed", "episode 2", {"cause": "local_change"})
    found = retraining(told(older, CONFIRMED), "held")
    assert [(each.subject, each.cause) for each in found.episodes] == [
        ("episode 3", "drift in the whole city"),
        ("episode 2", "drift in some areas"),
    ]
