"""What the board tells Prometheus of itself."""

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from dashboard.poller import Poller


class SnapshotCounts(Collector):
    """What the poller has counted itself."""

    def __init__(self, poller: Poller) -> None:
        self._poller = poller

    def collect(self) -> Iterator[Metric]:
        """Asked, and failed of these."""
        asked, failed = self._poller.asked, self._poller.failed
        yield CounterMetricFamily("tripcast_board_snapshots_asked", "Snapshots asked of the API.", value=asked)
        yield CounterMetricFamily("tripcast_board_snapshots_failed", "Snapshots asked for in vain.", value=failed)


class Metrics:
    """A registry of its own, so that two boards in one test do not meet."""

    def __init__(self, poller: Poller) -> None:
        self.registry = CollectorRegistry()
        self._answers = Counter(
            "tripcast_board_answers", "HTTP answers by class of status.", ["status"], registry=self.registry
        )
        views = Gauge("tripcast_board_views", "Different views that browsers have open.", registry=self.registry)
        views.set_function(lambda: poller.views)
        self.registry.register(SnapshotCounts(poller))

    def answered(self, status: int) -> None:
        """An answer has been given."""
        self._answers.labels(f"{status // 100}xx").inc()

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self.registry)
