"""The metrics of each role, as its own objects make them; nothing runs."""

from collections.abc import Callable, Iterable
from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from adapters.health.process import LoopLag, register_process, tell_loop_lag
from adapters.health.state import State, register_state
from api.metrics import Metrics as ApiMetrics
from api.reads.gauges import watch_lag
from batch.trainer_metrics import TrainerMetrics
from cli.canary.metrics import CanaryMetrics
from dashboard.metrics import Metrics as BoardMetrics
from stream.metrics import Metrics
from stream.monitor_metrics import MonitorMetrics

SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",), "info": ("_info",)}


def worker() -> CollectorRegistry:
    metrics = Metrics()
    MonitorMetrics(metrics.registry)
    _every_role(metrics.registry)
    register_state(metrics.registry, State(bool, bool, lambda: {"database": True}))
    return metrics.registry


def trainer() -> CollectorRegistry:
    metrics = TrainerMetrics()
    _every_role(metrics.registry)
    register_state(metrics.registry, State(bool, bool))
    return metrics.registry


def canary() -> CollectorRegistry:
    metrics = CanaryMetrics()
    _every_role(metrics.registry)
    register_state(metrics.registry, State(bool, bool, lambda: {"database": True}))
    return metrics.registry


def api() -> CollectorRegistry:
    metrics = ApiMetrics()
    register_process(metrics.registry)
    register_state(metrics.registry, State(bool, parts=lambda: {"database": True}))
    sampler: Any = SimpleNamespace(look=SimpleNamespace(lags={}, last_event_at=None))
    watch_lag(sampler, metrics.registry)
    return metrics.registry


def board() -> Iterable[Metric]:
    poller: Any = SimpleNamespace(views=0, asked=0, failed=0)
    metrics = BoardMetrics(poller)
    _every_role(metrics.registry)
    metrics.answered(200)
    return text_string_to_metric_families(metrics.text().decode())


ROLES: dict[str, Callable[[], Iterable[Metric]]] = {
    "worker": lambda: worker().collect(),
    "trainer": lambda: trainer().collect(),
    "canary": lambda: canary().collect(),
    "api": lambda: api().collect(),
    "board": board,
}


def sample_names(role: str) -> set[str]:
    """What a query may name, whether it has a value now or not."""
    return {family.name + suffix for family in ROLES[role]() for suffix in SUFFIXES[family.type]}


def _every_role(registry: CollectorRegistry) -> None:
    register_process(registry)
    tell_loop_lag(registry, LoopLag())
