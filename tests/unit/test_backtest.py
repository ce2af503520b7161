"""The closed loop lives through simulated weeks: it sleeps in calm ones, and finds and repairs what befalls the others."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from batch.backtest import Event
from batch.backtest_courses import drift_course, nightly_course, static_course
from batch.backtest_plot import draw
from batch.backtest_report import as_dict, errors_by
from domain.loop.episodes import LOCAL_CHANGE, WORLD_CHANGE
from domain.policy import Policy, Retraining
from tests.backtests import DAY, HOUR, SMALL, START, Weeks, kinds

NOON = START + DAY  # of a weekday, when it began


def minutes(events: list[Event]) -> list[int]:
    return [event.minute for event in events]


def test_a_stable_month_has_at_most_one_false_confirmation() -> None:
    events = Weeks(days=30, trips_per_day=800).lived()
    assert len(kinds(events, "drift.confirmed")) <= 1
    assert not kinds(events, "feed.fault")


@pytest.mark.parametrize(
    ("factor", "area", "cause", "labels"),
    [
        pytest.param(1.5, None, WORLD_CHANGE, 600, id="city-1.5"),
        pytest.param(1.25, None, WORLD_CHANGE, 8000, id="city-1.25"),
        pytest.param(1.5, "midtown", LOCAL_CHANGE, 4000, id="area-1.5"),
        pytest.param(1.25, "midtown", LOCAL_CHANGE, 20_000, id="area-1.25"),
    ],
)
def test_a_slow_down_is_found_within_so_many_labels_of_the_city_with_its_cause(
    factor: float, area: str | None, cause: str, labels: int
) -> None:
    weeks = Weeks(days=14)
    weeks.slow_down(factor, NOON, area=area)
    confirmed = kinds(weeks.lived(until_kind="drift.confirmed"), "drift.confirmed")
    assert len(confirmed) == 1
    assert confirmed[0].details["cause"] == cause
    assert weeks.labels(NOON, confirmed[0].minute) <= labels
    if area is not None:
        grid_cells = {int(cell) for cell in np.unique(weeks.cells_of(area))}
        assert set(confirmed[0].details["segments"]) & grid_cells  # type: ignore[call-overload]


def test_a_slow_down_is_repaired_without_a_hand_on_it() -> None:
    weeks = Weeks(days=4)
    weeks.slow_down(1.5, NOON)
    backtest, first = weeks.backtest()
    for _ in backtest.run(first, START, START + 4 * DAY):
        pass
    promoted = kinds(backtest.events, "model.promoted")[1:]
    assert promoted
    assert not kinds(backtest.events, "model.rolled_back")
    before, late = (START, NOON), (START + 3 * DAY, START + 4 * DAY)
    said = first.score(weeks.stage().features)
    left_alone, repaired = weeks.bias(said, *late), weeks.bias(backtest.predicted, *late)
    assert left_alone > 0.2
    assert abs(repaired - weeks.bias(said, *before)) < left_alone / 2


def test_a_city_that_flaps_gets_at_most_one_retraining_a_cooldown() -> None:
    weeks = Weeks(days=5)
    for half_day in range(1, 10, 2):
        weeks.slow_down(1.6, START + half_day * 12 * HOUR, START + (half_day + 1) * 12 * HOUR)
    policy = Policy(retraining=Retraining(cooldown_hours=48))
    asked = minutes(kinds(weeks.lived(policy), "retraining.requested"))
    assert asked
    assert all(later - earlier >= 48 * 60 for earlier, later in itertools.pairwise(asked))


@pytest.mark.parametrize("fault", ["miles", "no_passengers"])
def test_a_fault_of_the_feed_alarms_and_trains_nothing(fault: str) -> None:
    weeks = Weeks(days=6)
    getattr(weeks, fault)(NOON)
    events = weeks.lived()
    faults = kinds(events, "feed.fault")
    assert len(faults) == 1
    assert weeks.labels(NOON, faults[0].minute) < 1500
    assert not kinds(events, "retraining.requested")


def test_the_same_trips_give_the_same_bytes(tmp_path: Path) -> None:
    def bytes_of(name: str) -> tuple[str, bytes]:
        weeks = Weeks(days=2)
        weeks.slow_down(1.5, NOON)
        backtest, first = weeks.backtest()
        stage = weeks.stage()
        courses = [
            static_course(stage, first),
            nightly_course(stage, SMALL, 7, 1, lambda _: None),
            drift_course(stage, backtest, first, lambda _: None),
        ]
        draw(stage, courses, tmp_path / name)
        return json.dumps(as_dict(stage, courses)), (tmp_path / name).read_bytes()

    one, other = bytes_of("one.png"), bytes_of("other.png")
    assert one == other
    assert "drift.confirmed" in one[0]


def test_the_report_counts_errors_by_month_and_trainings() -> None:
    weeks = Weeks(days=3)
    stage = weeks.stage()
    perfect = static_course(stage, weeks.backtest()[1])
    perfect = replace(perfect, predicted=(stage.seconds + 60).astype(np.float32))
    (month, errors), *rest = errors_by(stage, perfect).items()
    assert (month, rest) == ("2025-01", [])
    assert (errors.rmse, errors.mae, errors.bias) == (1.0, 1.0, 1.0)
    assert errors.trips == int(stage.judged.sum())
