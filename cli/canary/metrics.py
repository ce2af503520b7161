"""What the canary measures, under the names that alerts and boards scrape."""

import time

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

PREDICTED, STORED = "predicted", "stored"
STAGES = (PREDICTED, STORED)
BUCKETS = (0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


class CanaryMetrics:
    """The canary's own registry; nothing in it is global."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._seconds = Histogram(
            "tripcast_canary_seconds",
            "From sending a canary trip until its prediction is on trip-predictions, until its row is in the database.",
            ["stage"],
            buckets=BUCKETS,
            registry=registry,
        )
        self._sent = Counter("tripcast_canary_sent", "Canary trips that the broker has acknowledged.", registry=registry)
        self._lost = Counter("tripcast_canary_lost", "Canary trips that did not get through in time.", registry=registry)
        self._success = Gauge(
            "tripcast_canary_last_success_timestamp_seconds",
            "When a canary trip last got through, as seconds since 1970; 0: never since the start.",
            registry=registry,
        )
        self.interval = Gauge(
            "tripcast_canary_interval_seconds", "How often a canary trip is sent; 0: none is.", registry=registry
        )
        for stage in STAGES:
            self._seconds.labels(stage)

    def sent(self) -> None:
        """The broker has it."""
        self._sent.inc()

    def arrived(self, stage: str, seconds: float) -> None:
        """It got so far."""
        self._seconds.labels(stage).observe(seconds)

    def through(self) -> None:
        """It got through every stage."""
        self._success.set(time.time())

    def lost(self) -> None:
        """It did not, in time."""
        self._lost.inc()

    def exposition(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)
