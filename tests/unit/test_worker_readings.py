"""What is read from a worker's metrics: the real exposition, and increases that survive a restart."""

import uuid
from datetime import UTC, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Gauge, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from api.reads.exposition import samples
from api.reads.workers import Counters, WorkerReading, parse
from domain.entities.models import ModelVersion
from domain.entities.service import LATENCY_BUCKETS
from stream.metrics import Metrics
from stream.monitor_metrics import MonitorMetrics


def version(number: int) -> ModelVersion:
    return ModelVersion(number, "run", "xgboost", "schema", datetime(2026, 1, 1, tzinfo=UTC), ())


def reading(scored: float = 0, refused: float = 0, bucket: int = 0, count: int = 0) -> WorkerReading:
    latency = np.zeros(len(LATENCY_BUCKETS) + 1, dtype=np.int64)
    latency[bucket] = count
    return WorkerReading(scored, {"invalid_json": refused}, latency, None, None, None, True, True, None)


def test_a_real_workers_exposition_is_understood() -> None:
    metrics = Metrics()
    monitor = MonitorMetrics(metrics.registry)
    monitor.leads()
    metrics._scored.inc(12)
    metrics._refused.labels("invalid_json").inc(2)
    metrics._refused.labels("null_key").inc(1)
    metrics._latency.observe(np.array([0.0005, 0.02, 0.021, 400.0]))
    metrics.champion(version(7))
    metrics.challenger(version(8))
    metrics._event_time.set(1.5e9)
    metrics.registry_up.set(1)
    monitor.phase("shadowing")
    found = parse(generate_latest(metrics.registry).decode())
    assert (found.scored, found.quarantined) == (12, {"invalid_json": 2, "null_key": 1})
    assert found.latency.tolist() == np.bincount([0, 5, 6, 19], minlength=20).tolist()
    assert found.champion is not None
    assert found.champion[0] == 7
    assert (found.challenger, found.phase, found.event_time) == (8, "shadowing", 1.5e9)
    assert (found.registry_up, found.database_up) == (True, False)


def test_a_worker_that_has_done_nothing_has_no_champion_and_no_event_time() -> None:
    found = parse(generate_latest(Metrics().registry).decode())
    assert (found.champion, found.challenger, found.phase, found.event_time, found.scored) == (None, None, None, None, 0)


def test_something_else_than_metrics_is_an_error() -> None:
    with pytest.raises((ValueError, KeyError)):
        parse("<html>not here</html>\n{")


def test_increases_are_counted_from_the_first_look_and_over_a_restart() -> None:
    counters, name = Counters(), uuid.uuid4().hex
    assert counters.increase(name, reading(scored=1000)).scored == 0
    assert counters.increase(name, reading(scored=1010, refused=2, bucket=3, count=5)).scored == 10
    restarted = counters.increase(name, reading(scored=4, refused=1, bucket=2, count=1))
    assert (restarted.scored, restarted.quarantined, restarted.latency.tolist()[2]) == (4, 1, 1)
    assert counters.increase(name, reading(scored=5, refused=1, bucket=2, count=1)).quarantined == 0


def test_a_restart_shows_in_any_of_the_counters() -> None:
    counters = Counters()
    counters.increase("worker", reading(scored=0, refused=0, bucket=4, count=9))
    assert counters.increase("worker", reading(scored=0, refused=0, bucket=5, count=2)).latency.sum() == 2
    counters.increase("worker", reading(scored=50, refused=7))
    assert counters.increase("worker", reading(scored=3, refused=7)).scored == 3
    assert counters.increase("worker", reading(scored=9, refused=1)).quarantined == 1


@given(
    st.dictionaries(st.text(min_size=0, max_size=8), st.floats(allow_nan=False), max_size=5),
    st.floats(-1e9, 1e9),
)
def test_the_format_is_read_as_prometheus_own_parser_reads_it(labelled: dict[str, float], plain: float) -> None:
    registry = CollectorRegistry()
    many, one = Gauge("many", "With labels.", ["label"], registry=registry), Gauge("one", "Without.", registry=registry)
    one.set(plain)
    for label, value in labelled.items():
        many.labels(label).set(value)
    text = generate_latest(registry).decode()
    theirs = [
        (each.name, each.labels, each.value) for family in text_string_to_metric_families(text) for each in family.samples
    ]
    assert [(each.name, each.labels, each.value) for each in samples(text)] == theirs
    assert [each.value for each in samples(text, {"one"})] == [plain]
