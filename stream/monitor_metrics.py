"""What the Monitor counts."""

from collections.abc import Mapping
from time import monotonic

from prometheus_client import CollectorRegistry, Counter, Gauge

from domain.loop.mature import MatureErrors
from domain.sums import CHAMPION, SHADOW

MATURE = {  # in the order of `mature`
    "trips": "How many there are",
    "mae_seconds": "Mean absolute error",
    "rmse_seconds": "Root mean square error",
    "interval_coverage_ratio": "Share inside the interval",
}


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
        self.retrainings = Counter(
            "tripcast_retrainings", "Trainings that the loop asked for, by what came of them.", ["outcome"], registry=registry
        )
        self._mature = {
            name: Gauge(f"tripcast_mature_{name}", f"{text} of the mature trips of a day.", ["role"], registry=registry)
            for name, text in MATURE.items()
        }
        age = Gauge(
            "tripcast_monitor_turn_age_seconds", "Since when the loop's host has done no turn; 0 elsewhere.", registry=registry
        )
        age.set_function(self._turn_age)
        self._turned_at: float | None = None

    def leads(self) -> None:
        """This worker leads."""
        self.leader.set(1)
        self._turned_at = monotonic()

    def turned(self) -> None:
        """The host has done a turn."""
        if self._leading:
            self._turned_at = monotonic()

    def mature(self, errors: MatureErrors) -> None:
        """How wrong predictions turned out, of each role that has any; only the leader tells."""
        for role, name in ((CHAMPION, "champion"), (SHADOW, "challenger")):
            found = errors.totals[role]
            if not (found.trips and self._leading):
                continue
            values = found.trips, found.mae_seconds, found.rmse_seconds, found.coverage
            for gauge, value in zip(self._mature.values(), values, strict=True):
                gauge.labels(name).set(value)

    @property
    def _leading(self) -> bool:
        """A turn may end when another worker leads already: of that nothing is told, or its age would grow for ever."""
        return self._turned_at is not None

    def _turn_age(self) -> float:
        return 0.0 if self._turned_at is None else monotonic() - self._turned_at

    def phase(self, name: str) -> None:
        """The loop's phase; only the leader tells one."""
        self._state.clear()
        if self._leading:
            self._state.labels(name).set(1)

    def follows(self) -> None:
        """Another worker leads."""
        self.leader.set(0)
        self.lag.set(0)
        self._state.clear()
        for gauge in self._mature.values():
            gauge.clear()
        self._turned_at = None

    def behind(self, committed: Mapping[int, int], taken: Mapping[int, int]) -> None:
        """How many committed events are not taken in."""
        self.lag.set(sum(max(0, offset - taken.get(partition, 0)) for partition, offset in committed.items()))
