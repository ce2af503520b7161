"""What workers tell of themselves in their metrics, and how much of it is new."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from api.reads.exposition import samples
from domain.entities.service import LATENCY_BUCKETS

LATENCY = "tripcast_event_to_row_seconds_bucket"
WANTED = {
    LATENCY,
    "tripcast_trips_scored_total",
    "tripcast_events_quarantined_total",
    "tripcast_champion_info",
    "tripcast_challenger_version",
    "tripcast_drift_state",
    "tripcast_registry_up",
    "tripcast_database_up",
    "tripcast_last_event_time_seconds",
}


@dataclass(frozen=True, slots=True)
class WorkerReading:
    """A worker's counters at one moment, since it started. `latency`: events in each of LATENCY_BUCKETS and above.

    `champion`: (version, kind, run id) of the model that scores. `phase`: of the closed loop, where this worker hosts it.
    `event_time`: the newest pickup that it stored, seconds since 1970.
    """

    scored: float
    quarantined: Mapping[str, float]
    latency: NDArray[np.int64]
    champion: tuple[int, str, str] | None
    challenger: int | None
    phase: str | None
    registry_up: bool
    database_up: bool
    event_time: float | None


def parse(text: str) -> WorkerReading:
    """A reading from Prometheus' text format; what is not there counts as zero. Raises ValueError for anything else."""
    found = list(samples(text, WANTED))
    values: dict[str, float] = {}
    for sample in found:
        values[sample.name] = values.get(sample.name, 0.0) + sample.value
    cumulative = {float(sample.labels["le"]): sample.value for sample in found if sample.name == LATENCY}
    champions = [sample.labels for sample in found if sample.name == "tripcast_champion_info" and sample.value]
    named = next(iter(champions), None)
    return WorkerReading(
        scored=values.get("tripcast_trips_scored_total", 0.0),
        quarantined={
            sample.labels["reason"]: sample.value for sample in found if sample.name == "tripcast_events_quarantined_total"
        },
        latency=_counts(cumulative),
        champion=(int(named["version"]), named["kind"], named["run_id"]) if named else None,
        challenger=int(values.get("tripcast_challenger_version", 0.0)) or None,
        phase=next(
            (sample.labels["state"] for sample in found if sample.name == "tripcast_drift_state" and sample.value), None
        ),
        registry_up=values.get("tripcast_registry_up", 0.0) > 0,
        database_up=values.get("tripcast_database_up", 0.0) > 0,
        event_time=values.get("tripcast_last_event_time_seconds") or None,
    )


def _counts(cumulative: Mapping[float, float]) -> NDArray[np.int64]:
    reached, below = [], 0.0
    for bound in (*LATENCY_BUCKETS, float("inf")):
        below = max(below, cumulative.get(bound, below))  # a bound that this worker does not have adds nothing
        reached.append(below)
    return np.diff(np.array([0.0, *reached])).astype(np.int64)


@dataclass(frozen=True, slots=True)
class Increase:
    """What several workers did between two looks."""

    scored: float = 0.0
    quarantined: float = 0.0
    latency: NDArray[np.int64] = field(default_factory=lambda: np.zeros(len(LATENCY_BUCKETS) + 1, dtype=np.int64))

    def __add__(self, other: "Increase") -> "Increase":
        """Both."""
        return Increase(
            self.scored + other.scored, self.quarantined + other.quarantined, np.asarray(self.latency + other.latency)
        )


@dataclass(slots=True)
class Counters:
    """Tells increases from readings. A worker that is seen for the first time has done nothing yet in our time."""

    _before: dict[str, WorkerReading] = field(default_factory=dict)

    def increase(self, worker: str, reading: WorkerReading) -> Increase:
        """Since the reading before; counters that fell were set to zero by a new start, and count from there."""
        before = self._before.get(worker)
        self._before[worker] = reading
        if before is None:
            return Increase()
        refused, refused_before = sum(reading.quarantined.values()), sum(before.quarantined.values())
        if reading.scored < before.scored or refused < refused_before or (reading.latency < before.latency).any():
            return Increase(reading.scored, refused, reading.latency)
        return Increase(reading.scored - before.scored, refused - refused_before, reading.latency - before.latency)
