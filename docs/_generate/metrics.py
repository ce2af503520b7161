"""The metrics: what every role's registry holds before anything is started."""

import asyncio
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric

from adapters.health.process import register_process, watched_loop
from adapters.health.state import State, register_state
from api.metrics import Metrics as ApiMetrics
from api.reads.gauges import watch_lag
from api.reads.sampler import Look
from batch.trainer_metrics import TrainerMetrics
from cli.canary.metrics import CanaryMetrics
from dashboard.metrics import Metrics as BoardMetrics
from docs._generate.markdown import code, join, table
from stream.metrics import Metrics
from stream.monitor_metrics import MonitorMetrics

OF_EVERY_PROCESS = "process_"


def page() -> str:
    """The page."""
    return join(
        "# Metrics",
        "Each role serves these at `/metrics` of its own port, in Prometheus' text format. What they are for: "
        "[observability](../observability.md). A histogram has the usual samples `_bucket`, `_sum` and `_count`. Every "
        "role has `process_*` besides (start, memory, processor, files).",
        *(join(f"## {role}", _table(make())) for role, make in ROLES.items()),
    )


def _table(registry: CollectorRegistry) -> str:
    families = sorted(registry.collect(), key=lambda family: family.name)
    ours = [family for family in families if not family.name.startswith(OF_EVERY_PROCESS)]
    labels = _labels(registry)
    return table(("metric", "type", "labels", "meaning"), (_row(family, labels) for family in ours))


def _row(family: Metric, labels: dict[str, set[str]]) -> Sequence[str]:
    name = f"{family.name}_total" if family.type == "counter" else family.name
    told = {label for sample in family.samples for label in sample.labels} - {"le"}
    of = sorted(told | labels.get(family.name, set()) | set(getattr(family, "_labelnames", ())))
    return code(name), family.type, ", ".join(map(code, of)), family.documentation


def _labels(registry: CollectorRegistry) -> dict[str, set[str]]:
    """By family; a metric without a value yet tells its labels only itself."""
    collectors: set[Any] = set(registry._collector_to_names)  # there is no public list of what is registered
    return {each._name: set(each._labelnames) for each in collectors if hasattr(each, "_labelnames")}


def _worker() -> CollectorRegistry:
    metrics = Metrics()
    MonitorMetrics(metrics.registry)
    return _stateful(_process(metrics.registry), State(bool, bool, _some_part))


def _trainer() -> CollectorRegistry:
    return _stateful(_process(TrainerMetrics().registry), State(bool, bool))


def _canary() -> CollectorRegistry:
    return _stateful(_process(CanaryMetrics().registry), State(bool, bool, _some_part))


def _api() -> CollectorRegistry:
    registry = ApiMetrics().registry
    register_process(registry)
    nothing_seen: Any = SimpleNamespace(look=Look())
    watch_lag(nothing_seen, registry)
    return _stateful(registry, State(bool, parts=_some_part))


def _board() -> CollectorRegistry:
    poller: Any = SimpleNamespace(views=0, asked=0, failed=0)
    return _process(BoardMetrics(poller).registry)


def _process(registry: CollectorRegistry) -> CollectorRegistry:
    register_process(registry)

    async def look_once() -> None:
        async with watched_loop(registry):
            pass

    asyncio.run(look_once())
    return registry


def _stateful(registry: CollectorRegistry, state: State) -> CollectorRegistry:
    register_state(registry, state)
    return registry


def _some_part() -> dict[str, bool]:
    return {"database": True}


ROLES: dict[str, Callable[[], CollectorRegistry]] = {
    "Worker": _worker,
    "Trainer": _trainer,
    "Canary": _canary,
    "API": _api,
    "Board": _board,
}
