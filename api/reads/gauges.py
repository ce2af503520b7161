"""The stream's lag, and when an event came last, as metrics of the API, so that they exist while the worker is down."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.reads.sampler import Sampler


def watch_lag(sampler: Sampler, registry: CollectorRegistry) -> None:
    """Let a registry tell the lag."""
    registry.register(_Lag(sampler))


class _Lag(Collector):
    """Collected when it is asked for."""

    def __init__(self, sampler: Sampler) -> None:
        self._sampler = sampler

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance: no look has been taken yet."""
        return []

    def collect(self) -> Iterable[Metric]:
        """The lag of each partition whose end is known; the arrival once there was one."""
        events = GaugeMetricFamily("tripcast_lag_events", "Events in the topic that are not rows yet.", labels=["partition"])
        seconds = GaugeMetricFamily(
            "tripcast_lag_seconds", "Age of the oldest event that is not a row yet.", labels=["partition"]
        )
        for partition, lag in sorted(self._sampler.look.lags.items()):
            events.add_metric([str(partition)], lag.events)
            seconds.add_metric([str(partition)], lag.seconds)
        yield events
        yield seconds
        arrived = GaugeMetricFamily(
            "tripcast_last_arrival_timestamp_seconds", "When the topic was last seen to grow, as seconds since 1970."
        )
        if self._sampler.look.last_event_at is not None:
            arrived.add_metric([], self._sampler.look.last_event_at.timestamp())
        yield arrived
