"""The errors of a day of mature trips: sums over a window that moves, the same whoever has seen them come."""

from dataclasses import replace

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from domain.loop.mature import WINDOW_MINUTES, Errors, MatureErrors
from domain.loop.steps import Step
from domain.sums import CHAMPION, SHADOW, Cells
from stream.monitor_metrics import MonitorMetrics
from tests.steps import LENGTH, MONDAY, step, sums


def errors(minute: int, role: int, *seconds: float, covered: int = 0) -> Step:
    deciseconds = [round(each * 10) for each in seconds]
    cells = sums(
        Cells,
        minute=[minute],
        role=[role],
        version=[1],
        area=[7],
        settled=[len(seconds)],
        abs_error=[sum(map(abs, deciseconds))],
        square_error=[sum(each * each for each in deciseconds)],
        covered=[covered],
    )
    return replace(step(minute), mature=cells)


def test_a_day_of_steps_is_what_is_told_and_older_ones_are_let_go() -> None:
    rng, seen = np.random.default_rng(3), MatureErrors()
    given = {MONDAY + LENGTH * number: rng.normal(0, 300, rng.integers(0, 6)).round(1) for number in range(400)}
    for minute, values in given.items():
        seen.add(errors(minute, CHAMPION, *values, covered=len(values) // 2))
    newest = max(given)
    last = {minute: values for minute, values in given.items() if minute > newest - WINDOW_MINUTES}
    flat = np.concatenate(list(last.values()))
    found = seen.totals[CHAMPION]
    assert found.trips == len(flat)
    assert found.mae_seconds == pytest.approx(np.abs(flat).mean())
    assert found.rmse_seconds == pytest.approx(np.sqrt((flat**2).mean()))
    assert found.coverage == pytest.approx(sum(len(values) // 2 for values in last.values()) / len(flat))
    assert seen.totals[SHADOW] == Errors()


def test_only_the_leader_tells_and_only_of_roles_that_have_trips() -> None:
    registry = CollectorRegistry()
    metrics, seen = MonitorMetrics(registry), MatureErrors()

    def told(name: str, role: str) -> float | None:
        return registry.get_sample_value(f"tripcast_mature_{name}", {"role": role})

    seen.add(errors(MONDAY, CHAMPION, 60.0, -120.0, covered=1))
    metrics.leads()
    metrics.mature(seen)
    assert [told(name, "champion") for name in ("trips", "mae_seconds", "interval_coverage_ratio")] == [2, 90.0, 0.5]
    assert told("mae_seconds", "challenger") is None
    seen.add(errors(MONDAY + LENGTH, SHADOW, 10.0))
    metrics.mature(seen)
    assert told("rmse_seconds", "challenger") == 10.0
    metrics.follows()
    assert told("mae_seconds", "champion") is None
    assert registry.get_sample_value("tripcast_monitor_turn_age_seconds") == 0.0
    metrics.turned()  # a turn that was under way
    metrics.phase("watching")
    metrics.mature(seen)
    assert told("mae_seconds", "champion") is None
    assert registry.get_sample_value("tripcast_monitor_turn_age_seconds") == 0.0
    assert {each.name for each in registry.collect() if each.samples and "state" in each.name} == set()
