"""What alerts are made of: health, losses, the champion's age and reference, and what waits, as metrics."""

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from prometheus_client import CollectorRegistry

from adapters.health.state import State, register_state
from api.checks import Checks
from api.log_queue import LogQueue
from api.metrics import Metrics as ApiMetrics
from api.reads.gauges import watch_lag
from api.reads.lags import Lag
from domain.entities.models import ModelVersion
from domain.entities.rejections import SkipReason
from domain.entities.streams import BatchReceipt, Skipped, Span
from domain.features import CityClock
from domain.quality import TripRules
from stream.health import Readiness
from stream.metrics import Metrics
from stream.score_events import ScoreEvents

VERSION = ModelVersion(7, "run", "xgboost", "schema", datetime(2026, 1, 1, tzinfo=UTC), (), {"mae_minutes": 3.5})


def test_health_is_asked_at_every_scrape() -> None:
    registry, readiness, alive = CollectorRegistry(), Readiness(), True
    register_state(registry, State(lambda: readiness.ready()[0], lambda: alive, readiness.parts))
    assert registry.get_sample_value("tripcast_ready") == 0
    assert registry.get_sample_value("tripcast_dependency_up", {"dependency": "broker"}) == 0
    readiness.up("broker")
    assert registry.get_sample_value("tripcast_dependency_up", {"dependency": "broker"}) == 1
    assert registry.get_sample_value("tripcast_alive") == 1
    readiness.up("database")
    readiness.up("champion")
    alive = False
    assert registry.get_sample_value("tripcast_ready") == 1
    assert registry.get_sample_value("tripcast_alive") == 0


def test_a_role_tells_only_what_it_has_a_word_for() -> None:
    registry = CollectorRegistry()
    register_state(registry, State(lambda: True))
    assert registry.get_sample_value("tripcast_ready") == 1
    assert [family.name for family in registry.collect()] == ["tripcast_ready"]


def test_the_apis_checks_are_dependencies() -> None:
    checks = Checks()
    checks.note("broker", ok=True)
    assert checks.parts()["broker"] is True
    assert checks.parts()["database"] is False


def test_the_bound_of_what_may_wait_is_told() -> None:
    metrics = ApiMetrics()
    LogQueue(123, metrics, Checks())
    assert metrics.registry.get_sample_value("tripcast_api_log_limit") == 123


def test_the_champions_age_and_reference_are_told_in_seconds() -> None:
    metrics = Metrics()
    metrics.champion(VERSION)
    value = metrics.registry.get_sample_value
    assert value("tripcast_champion_registered_timestamp_seconds") == VERSION.created_at.timestamp()
    assert value("tripcast_champion_reference_mae_seconds") == 210.0
    metrics.champion(replace(VERSION, metrics={}))
    assert value("tripcast_champion_reference_mae_seconds") != value("tripcast_champion_reference_mae_seconds")  # NaN


@pytest.mark.parametrize(("reason", "lost"), [(SkipReason.LOST, 5), (SkipReason.NO_RECORD, 0)])
def test_what_retention_took_is_counted(reason: SkipReason, lost: int) -> None:
    metrics = Metrics()
    prepared = ScoreEvents(TripRules(), CityClock()).without_rows(Span(0, 5, 10), (Skipped(0, 5, 9, reason),))
    nothing = np.zeros(0, dtype=np.bool_)
    metrics.committed(prepared, BatchReceipt(nothing, nothing, settled=0, repeats=0, dead_letters=0), [], 0.0)
    assert metrics.registry.get_sample_value("tripcast_events_lost_total") == lost


def test_the_api_tells_when_the_topic_last_grew() -> None:
    registry = CollectorRegistry()
    look = SimpleNamespace(lags={3: Lag(4, 2.5, at_least=False)}, last_event_at=None)
    sampler: Any = SimpleNamespace(look=look)
    watch_lag(sampler, registry)
    assert registry.get_sample_value("tripcast_last_arrival_timestamp_seconds") is None
    look.last_event_at = datetime(2026, 1, 1, tzinfo=UTC)
    assert registry.get_sample_value("tripcast_last_arrival_timestamp_seconds") == look.last_event_at.timestamp()
    assert registry.get_sample_value("tripcast_lag_seconds", {"partition": "3"}) == 2.5
