"""Health as metrics: what `/livez` and `/readyz` answer, and what is there of what a role needs, for rules that alert."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector


@dataclass(frozen=True, slots=True)
class State:
    """What a role says of itself; each is asked at every scrape, is quick and does no I/O. None: it has no such word.

    `parts`: what it needs or uses, by name, and whether that is there.
    """

    ready: Callable[[], bool]
    alive: Callable[[], bool] | None = None
    parts: Callable[[], Mapping[str, bool]] | None = None


def register_state(registry: CollectorRegistry, state: State) -> None:
    """Let a registry tell it."""
    registry.register(_State(state))


class _State(Collector):
    def __init__(self, state: State) -> None:
        self._state = state

    def describe(self) -> Iterable[Metric]:
        """The families without values."""
        return [_ready(), *([_alive()] if self._state.alive else []), *([_parts()] if self._state.parts else [])]

    def collect(self) -> Iterator[Metric]:
        """As it is now."""
        state = self._state
        yield _with(_ready(), [], there=state.ready())
        if state.alive is not None:
            yield _with(_alive(), [], there=state.alive())
        if state.parts is not None:
            family = _parts()
            for name, there in state.parts().items():
                _with(family, [name], there=there)
            yield family


def _with(family: GaugeMetricFamily, labels: list[str], *, there: bool) -> GaugeMetricFamily:
    family.add_metric(labels, float(there))
    return family


def _ready() -> GaugeMetricFamily:
    return GaugeMetricFamily("tripcast_ready", "1 while /readyz answers 200.")


def _alive() -> GaugeMetricFamily:
    return GaugeMetricFamily("tripcast_alive", "1 while /livez answers 200.")


def _parts() -> GaugeMetricFamily:
    return GaugeMetricFamily("tripcast_dependency_up", "1 when what the role needs or uses is there.", labels=["dependency"])
