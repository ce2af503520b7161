"""What the Monitor counts."""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge


class MonitorMetrics:
    """Part of the worker's registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.leader = Gauge("tripcast_monitor_leader", "1 where this worker hosts the closed loop.", registry=registry)
        self.lag = Gauge("tripcast_monitor_lag_events", "Stored events that the loop has not taken in.", registry=registry)
        self.seconds = Counter("tripcast_monitor_seconds", "Time that the loop has worked.", registry=registry)
        self.errors = Counter("tripcast_monitor_errors", "Errors that made the loop begin anew.", registry=registry)
        self.expired = Counter("tripcast_trips_expired", "Trips whose end did not come in time.", registry=registry)
        self.steps = Counter("tripcast_monitor_steps", "Steps of event time that were closed.", registry=registry)
        self.recounted = Counter(
            "tripcast_monitor_recounted_events", "Events counted from their rows, for want of a signal.", registry=registry
        )
        self._state = Gauge("tripcast_drift_state", "1 for the phase that the loop is in.", ["state"], registry=registry)

    def phase(self, name: str) -> None:
        """The loop's phase; only the leader tells one."""
        self._state.clear()
        self._state.labels(name).set(1)

    def follows(self) -> None:
        """Another worker leads."""
        self.leader.set(0)
        self.lag.set(0)
        self._state.clear()

    def behind(self, committed: Mapping[int, int], taken: Mapping[int, int]) -> None:
        """How many committed events are not taken in."""
        self.lag.set(sum(max(0, offset - taken.get(partition, 0)) for partition, offset in committed.items()))
