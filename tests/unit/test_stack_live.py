"""The live line and the worker's metrics: rates, quantiles, restarts."""

from math import inf

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from cli.stack.live import Error, LiveLine
from cli.stack.units import State, Unit
from cli.stack.worker_metrics import Reading, parse, quantile_seconds


def reading(received: float = 0, **other) -> Reading:
    values = {
        "received": received,
        "scored": 0,
        "settled": 0,
        "quarantined": {},
        "lag": 0,
        "champion": None,
        "challenger": None,
        "phase": None,
        "registry_up": True,
        "database_up": True,
        "buckets": {},
    }
    return Reading(**{**values, **other})


class Ticking:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def idle_unit(**state) -> Unit:
    return Unit("worker", lambda: NotImplemented, **state)


def test_the_workers_own_exposition_is_understood() -> None:
    registry = CollectorRegistry()
    Counter("tripcast_events_received", "-", ["kind"], registry=registry).labels("started").inc(7)
    Counter("tripcast_events_quarantined", "-", ["reason"], registry=registry).labels("invalid_json").inc(2)
    Gauge("tripcast_lag_events", "-", ["partition"], registry=registry).labels("3").set(11)
    Gauge("tripcast_champion_version", "-", registry=registry).set(4)
    Gauge("tripcast_database_up", "-", registry=registry).set(1)
    Histogram("tripcast_event_to_row_seconds", "-", buckets=(0.01, 0.1), registry=registry).observe(0.05)
    found = parse(generate_latest(registry).decode())
    assert (found.received, found.lag, found.champion, found.quarantined) == (7, 11, 4, {"invalid_json": 2})
    assert (found.database_up, found.registry_up) == (True, False)
    assert found.buckets == {0.01: 0, 0.1: 1, inf: 1}


def test_metrics_that_are_not_there_yet_count_as_zero() -> None:
    assert parse("").received == 0
    assert parse("").champion is None


def test_the_quantile_is_of_what_happened_between_two_readings() -> None:
    earlier = reading(buckets={0.01: 0, 0.1: 1000, inf: 1000})
    later = reading(buckets={0.01: 99, 0.1: 1100, inf: 1100})
    assert quantile_seconds(0.99, earlier, later) == 0.01
    assert quantile_seconds(1.0, earlier, later) == 0.1
    assert quantile_seconds(0.99, later, later) is None


def test_rates_are_over_the_last_ten_seconds() -> None:
    clock = Ticking()
    line = LiveLine(clock)
    for clock.now in range(21):
        line.add(reading(received=clock.now * (1 if clock.now <= 10 else 100)))
    assert "received 199/s" in line.text([], None)  # (2,000 - 10) / 10


def test_a_restarted_worker_gives_no_negative_rate() -> None:
    clock = Ticking()
    line = LiveLine(clock)
    for clock.now, received in ((0.0, 1000.0), (1.0, 1100.0), (2.0, 5.0)):
        line.add(reading(received=received))
    assert "received -" in line.text([], None).replace("-/s", "-")
    clock.now = 3.0
    line.add(reading(received=10.0))
    assert "received 5/s" in line.text([], None)


def test_the_line_says_what_is_wrong() -> None:
    line = LiveLine(Ticking())
    resting = idle_unit(state=State.RESTING, deaths=2)
    assert "the worker does not answer" in line.text([], None)
    line.add(reading(registry_up=False, champion=3, quarantined={"a": 1.0, "b": 2.0}))
    text = line.text([resting], Error(mae_minutes=3.456, trips=10))
    for part in ("registry down", "champion v3", "dead letters 3", "mature error 3.46 min", "worker is being restarted (2)"):
        assert part in text
    assert "database down" not in text


def test_the_line_names_the_challenger_and_where_the_loop_is() -> None:
    line = LiveLine()
    line.add(reading(champion=1, challenger=2, phase="shadowing"))
    text = line.text([], None)
    assert "champion v1  challenger v2  challenger on trial" in text
