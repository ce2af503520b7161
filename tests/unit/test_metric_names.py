"""Every metric of every role keeps to Prometheus' rules: https://prometheus.io/docs/practices/naming/."""

import re

import pytest
from prometheus_client.core import Metric

from tests.expositions import ROLES

NAME = re.compile(r"(tripcast|process)_[a-z][a-z0-9]*(_[a-z0-9]+)*")
LABEL = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
NOT_BASE_UNITS = {"ms", "milliseconds", "microseconds", "us", "minutes", "hours", "days", "kb", "mb", "percent", "km", "count"}
UNBOUNDED = {"trip", "trip_id", "trace_id", "offset", "subject", "path", "url", "key", "reason_text", "user"}
TYPES = {"gauge", "counter", "histogram", "summary", "info"}


@pytest.mark.parametrize("role", ROLES)
def test_metrics_are_named_by_the_book(role: str) -> None:
    families = list(ROLES[role]())
    assert len(families) > 3
    assert [fault for family in families for fault in faults_of(family)] == []
    names = [family.name for family in families]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("metric", "fault"),
    [
        (Metric("tripcast_wait_ms", "It waits.", "gauge"), "tripcast_wait_ms: a unit that is no base unit"),
        (Metric("Tripcast_x", "It waits.", "gauge"), "Tripcast_x: not a name"),
        (Metric("tripcast_x", "", "gauge"), "tripcast_x: nobody says what it is"),
        (Metric("tripcast_x_gauge", "It waits.", "gauge"), "tripcast_x_gauge: its type is not part of the name"),
        (Metric("tripcast_x_total", "It waits.", "gauge"), "tripcast_x_total: only a counter is a total"),
    ],
)
def test_what_does_not_keep_to_the_rules_is_found(metric: Metric, fault: str) -> None:
    assert fault in faults_of(metric)


def faults_of(family: Metric) -> list[str]:
    """What is wrong with a metric, in words."""
    words = family.name.split("_")
    labels = {name for sample in family.samples for name in sample.labels} | set(getattr(family, "_labelnames", ()))
    checks = {
        "not a name": NAME.fullmatch(family.name),
        "nobody says what it is": family.documentation.strip(),
        "a unit that is no base unit": not NOT_BASE_UNITS & set(words),
        "its type is not part of the name": words[-1] not in TYPES - {"info"},
        "only a counter is a total": words[-1] != "total" or family.type == "counter",
        "a counter's samples end with _total": family.type != "counter"
        or all(sample.name.endswith(("_total", "_created")) for sample in family.samples),
        "a time span is in seconds": not {"latency", "duration", "age"} & set(words) or "seconds" in words,
        "a ratio lies between 0 and 1, a share is called one": words[-1] not in {"share", "fraction", "rate"},
        "labels are words": all(LABEL.fullmatch(label) for label in labels),
        "labels have few values": not labels & UNBOUNDED,
    }
    return [f"{family.name}: {rule}" for rule, holds in checks.items() if not holds]
