"""What the API counts, under the names that its users scrape; routes by their template, so that there are few."""

from collections import deque
from time import monotonic

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from domain.entities.models import ModelVersion

BUCKETS = (0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
SECONDS_KEPT = 60


class Metrics:
    """The API's own registry; nothing in it is global. The reading parts add theirs to `registry`."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "tripcast_api_requests", "Requests answered.", ["route", "method", "status"], registry=registry
        )
        self._seconds = Histogram(
            "tripcast_api_request_seconds",
            "From a request's head to its last byte.",
            ["route"],
            buckets=BUCKETS,
            registry=registry,
        )
        self.predictions = Counter("tripcast_api_predictions", "Trips predicted.", registry=registry)
        self.waiting = Gauge("tripcast_api_log_waiting", "Predictions that wait to be logged.", registry=registry)
        self.log_limit = Gauge("tripcast_api_log_limit", "How many predictions may wait to be logged.", registry=registry)
        self.written = Counter("tripcast_api_log_written", "Predictions logged.", registry=registry)
        self.lost = Counter("tripcast_api_log_lost", "Predictions given up at the end of the process.", registry=registry)
        self.loop_lag = Gauge("tripcast_api_loop_lag_seconds", "How late the event loop was last.", registry=registry)
        self.in_flight = Gauge("tripcast_api_requests_in_flight", "Requests being answered.", registry=registry)
        self.registry_up = Gauge("tripcast_registry_up", "1 when the model registry answers.", registry=registry)
        self._champion = Gauge(
            "tripcast_champion_info", "The model that answers.", ["version", "kind", "run_id"], registry=registry
        )
        self.loop_lag_seconds = 0.0
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.recent = Recent()

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count one request."""
        key = route, method, status
        children = self._children.get(key)
        if children is None:
            children = self._requests.labels(route, method, str(status)), self._seconds.labels(route)
            self._children[key] = children
        children[0].inc()
        children[1].observe(seconds)
        self.recent.add(route, seconds, failed=status >= 500)  # noqa: PLR2004 - the server's own failures

    def looped(self, lag_seconds: float) -> None:
        """How late the event loop was just now."""
        self.loop_lag_seconds = lag_seconds
        self.loop_lag.set(lag_seconds)

    def champion(self, active: ModelVersion) -> None:
        """Replace who answers."""
        self._champion.clear()
        self._champion.labels(str(active.version), active.kind, active.run_id).set(1)

    def exposition(self) -> bytes:
        """The text that Prometheus scrapes."""
        return generate_latest(self.registry)


class Second:
    """What was answered in one second."""

    __slots__ = ("by_route", "failed", "number", "seconds")

    def __init__(self, number: int) -> None:
        self.number, self.failed = number, 0
        self.seconds: list[float] = []
        self.by_route: dict[str, int] = {}


class Recent:
    """The last minute of answers, second by second, for the page API."""

    def __init__(self) -> None:
        self.answered = 0  # since the start
        self._kept: deque[Second] = deque(maxlen=SECONDS_KEPT + 1)

    def add(self, route: str, seconds: float, *, failed: bool) -> None:
        """One answer."""
        self.answered += 1
        number = int(monotonic())
        if not self._kept or self._kept[-1].number != number:
            self._kept.append(Second(number))
        second = self._kept[-1]
        second.seconds.append(seconds)
        second.by_route[route] = second.by_route.get(route, 0) + 1
        second.failed += failed

    def seconds(self) -> list[Second]:
        """One item a second, oldest first, without the running one; a second without an answer is there too."""
        now = int(monotonic())
        kept = {second.number: second for second in self._kept}
        return [kept.get(number) or Second(number) for number in range(now - SECONDS_KEPT, now)]
