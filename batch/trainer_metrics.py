"""What the trainer counts, under the names that its users scrape."""

import time
from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from domain.loop.decisions import Outcome, RequestKind

SUCCEEDED, REFUSED, FAILED = "succeeded", "refused", "failed"  # how a training process ends; refused: by a gate
TRAINING_BUCKETS = (5.0, 10.0, 20.0, 40.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 2400.0, 4800.0, 9600.0)


class TrainerMetrics:
    """The trainer's own registry; nothing in it is global."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._trainings = Counter("tripcast_trainings", "Training processes, by their end.", ["outcome"], registry=registry)
        self._seconds = Histogram(
            "tripcast_training_seconds", "What a training process took.", buckets=TRAINING_BUCKETS, registry=registry
        )
        self._refusals = Counter("tripcast_gate_refusals", "Verdicts of gates against a training.", ["gate"], registry=registry)
        self._answered = Counter(
            "tripcast_requests_answered", "Requests of the loop, by what came of them.", ["kind", "outcome"], registry=registry
        )
        self._last_success = Gauge(
            "tripcast_last_training_success_timestamp_seconds",
            "When a training last ended well, as seconds since 1970; 0: never since the start.",
            registry=registry,
        )
        self.running = Gauge("tripcast_trainings_running", "Training processes that run now.", registry=registry)
        for outcome in (SUCCEEDED, REFUSED, FAILED):
            self._trainings.labels(outcome)
        for kind in RequestKind:
            for answer in Outcome:
                self._answered.labels(kind.value, answer.value)

    def trained(self, seconds: float, outcome: str) -> None:
        """A training process has ended."""
        self._trainings.labels(outcome).inc()
        self._seconds.observe(seconds)
        if outcome == SUCCEEDED:
            self._last_success.set(time.time())

    def refused(self, gates: Iterable[str]) -> None:
        """These gates were against a training."""
        for gate in gates:
            self._refusals.labels(gate).inc()

    def answered(self, kind: RequestKind, outcome: Outcome) -> None:
        """A request is answered."""
        self._answered.labels(kind.value, outcome.value).inc()

    def exposition(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)
