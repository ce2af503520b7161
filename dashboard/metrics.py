"""What the board tells Prometheus of itself."""

from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest

from dashboard.poller import Poller


class Metrics:
    """A registry of its own, so that two boards in one test do not meet."""

    def __init__(self, poller: Poller) -> None:
        self._registry = CollectorRegistry()
        self._answers = Counter(
            "tripcast_board_answers", "HTTP answers by class of status.", ["status"], registry=self._registry
        )
        views = Gauge("tripcast_board_views", "Different views that browsers have open.", registry=self._registry)
        views.set_function(lambda: poller.views)
        asked = Gauge("tripcast_board_snapshots_asked", "Snapshots asked of the API since the start.", registry=self._registry)
        asked.set_function(lambda: poller.asked)
        failed = Gauge("tripcast_board_snapshots_failed", "Of these, those that failed.", registry=self._registry)
        failed.set_function(lambda: poller.failed)

    def answered(self, status: int) -> None:
        """An answer has been given."""
        self._answers.labels(f"{status // 100}xx").inc()

    def text(self) -> bytes:
        """Everything in Prometheus' text format."""
        return generate_latest(self._registry)
