"""What a soak says of itself: slopes, schedules and tables."""

from types import SimpleNamespace

import pytest

from tests.soak.faults import FAULTS, schedule
from tests.soak.feed import BAD, city_events
from tests.soak.memory import MIB, Memory, Sample, slope_of
from tests.soak.table import document


def samples(role: str, process: int, first: float, mib: float, per_hour: float) -> list[Sample]:
    return [Sample(role, process, first + at, float(at), mib + per_hour * at / 3600) for at in range(0, 1200, 5)]


def test_a_slope_is_each_stretchs_own() -> None:
    """A restart is no growth, however much more the new process holds."""
    assert slope_of([samples("api", 1, 0, 200, 0), samples("api", 2, 1200, 300, 0)]) == pytest.approx(0)
    assert slope_of([samples("api", 1, 0, 200, 60), samples("api", 2, 1200, 100, 60)]) == pytest.approx(60)
    assert slope_of([]) is None


@pytest.mark.parametrize(("step", "flat"), [(4.0, True), (12.0, False)])
def test_what_each_fault_adds_is_no_slope_and_is_bounded_on_its_own(step: float, flat: bool) -> None:
    memory = Memory(warm_up_seconds=0)
    memory.disturbed += [(300.0, 360.0), (700.0, 760.0)]
    for number, first in enumerate((0, 360, 760)):
        memory.samples += [Sample("worker", 1, at, at, 200 + step * number) for at in range(first, (300, 700, 1200)[number], 5)]
    found = memory.of("worker")
    assert found["slope_mib_per_hour"] == pytest.approx(0)
    assert (found["lifted_mib_per_fault"], found["flat"]) == (step, flat)


def test_what_grows_is_not_flat_and_what_only_warms_up_is() -> None:
    memory = Memory(warm_up_seconds=300)
    memory.samples += samples("leaks", 1, 0, 200, 60) + samples("sleeps", 2, 0, 200, 0)
    memory.samples += [Sample("sleeps", 2, at, at, 150 + at / 6) for at in range(300)]
    memory.samples += [Sample("short", 3, at, 1000.0 + at, 100 + at) for at in range(60)]
    memory.samples += [Sample("sleeps", 2, 700, 700, 900)]
    memory.disturbed.append((690, 750))
    assert [memory.of(role)["flat"] for role in ("leaks", "sleeps", "short")] == [False, True, None]
    assert memory.of("sleeps")["peak_mib"] == 900


def test_leading_the_closed_loop_warms_a_worker_up_once_and_hides_no_leak_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins to lead at 600 s and takes 30 MiB within its warm-up; then it holds still, or does not."""

    def held(per_hour: float) -> dict[str, object]:
        memory = Memory(warm_up_seconds=300, disturbed=[(600, 610)])
        for at in range(0, 1800, 5):
            mib = 200 + min(max(at - 600, 0) / 6, 30) + per_hour * max(at - 900, 0) / 3600
            process = SimpleNamespace(create_time=lambda: 0.0, memory_info=lambda mib=mib: SimpleNamespace(rss=mib * MIB))
            monkeypatch.setattr("tests.soak.memory.psutil.Process", lambda _, process=process: process)
            memory.look("worker", 1, float(at), led=at >= 600)
        return memory.of("worker")

    found = held(0)
    assert (found["slope_mib_per_hour"], found["lifted_mib_per_fault"], found["flat"]) == (pytest.approx(0), None, True)
    assert held(60)["flat"] is False


def test_every_kind_of_fault_happens_as_often_in_the_same_order_for_the_same_seed() -> None:
    planned = schedule(3600, seed=1)
    assert planned == schedule(3600, seed=1) != schedule(3600, seed=2)
    assert sorted(fault.kind for fault in planned) == sorted([*FAULTS] * 2)
    assert [fault.at for fault in planned] == sorted(fault.at for fault in planned)
    assert planned[0].at >= 360
    assert planned[-1].at <= 3240


def test_the_city_sends_a_start_before_its_end_and_both_once() -> None:
    events = city_events(seed=3, per_second=400)
    seen: dict[str, list[str]] = {}
    for _ in range(20_000):
        key, value = next(events)
        assert value != BAD
        seen.setdefault(key, []).append("start" if "started" in value else "end")
    assert {tuple(kinds) for kinds in seen.values()} == {("start",), ("start", "end")}
    assert sum(len(kinds) == 2 for kinds in seen.values()) > 5000


def test_the_page_gets_the_tables_between_its_marks_and_nothing_else_changes() -> None:
    role = {"first_mib": 100.0, "last_mib": 120.0, "peak_mib": 130.0, "slope_mib_per_hour": 4.2}
    role |= {"lifted_mib_per_fault": 1.5, "samples": 9, "flat": True}
    results = {
        "minutes": 30.0, "rate": 2000.0, "sent_per_second": 1990.0, "seed": 1, "sent": 3_600_000, "lost": 0, "doubled": 0,
        "violations": {}, "faults": [{"kind": "API killed", "at": 1.0, "lasted": 0.1, "caught_up": 2.5}], "warm_up_s": 300.0,
        "memory": {"api": role}, "flat_mib_per_hour": 30.0, "most_lifted_mib": 10.0, "measured_at": "2026-01-01T00:00:00",
        "machine": {"cores": 2, "memory_gib": 24, "python": "3.11"},
    }  # fmt: skip
    page = document("before\n<!-- soak:begin: by a machine -->\nold\n<!-- soak:end -->\nafter\n", results)
    assert page.startswith("before\n<!-- soak:begin: by a machine -->\n30 minutes at 2,000 events/s (reached: 1,990)")
    assert "| API killed | 1 | 2.5 s |" in page
    assert "| api | 100 MiB | 120 MiB | 130 MiB | +4.2 MiB/h | +1.5 MiB | yes |" in page
    assert page.endswith("<!-- soak:end -->\nafter\n")
    assert "old" not in page
