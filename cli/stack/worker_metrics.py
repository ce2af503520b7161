"""Reads the worker's Prometheus metrics, and what happened between two readings."""

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

SCRAPE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Reading:
    """The worker's counters at one moment. `buckets`: upper bound in seconds -> events at or below it, ever.

    `challenger`: the version that shadows the champion. `phase`: of the closed loop; None when another worker hosts it.
    """

    received: float
    scored: float
    settled: float
    quarantined: Mapping[str, float]
    lag: float
    champion: int | None
    challenger: int | None
    phase: str | None
    registry_up: bool
    database_up: bool
    buckets: Mapping[float, float]


def scrape(worker_address: str) -> Reading | None:
    """A reading, or None while the worker does not answer."""
    try:
        with urllib.request.urlopen(f"{worker_address}/metrics", timeout=SCRAPE_SECONDS) as answer:  # noqa: S310 - our own http address
            return parse(answer.read().decode())
    except (urllib.error.URLError, OSError):
        return None


def parse(text: str) -> Reading:
    """A reading from the text format. Metrics that are not there yet count as zero."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]

    def total(name: str) -> float:
        return sum(sample.value for sample in samples if sample.name == name)

    def by_label(name: str, label: str) -> dict[str, float]:
        return {sample.labels[label]: sample.value for sample in samples if sample.name == name}

    latency = by_label("tripcast_event_to_row_seconds_bucket", "le")
    return Reading(
        received=total("tripcast_events_received_total"),
        scored=total("tripcast_trips_scored_total"),
        settled=total("tripcast_trips_settled_total"),
        quarantined=by_label("tripcast_events_quarantined_total", "reason"),
        lag=total("tripcast_lag_events"),
        champion=int(total("tripcast_champion_version")) or None,
        challenger=int(total("tripcast_challenger_version")) or None,
        phase=next(iter(by_label("tripcast_drift_state", "state")), None),
        registry_up=total("tripcast_registry_up") > 0,
        database_up=total("tripcast_database_up") > 0,
        buckets={float(bound): count for bound, count in latency.items()},
    )


def quantile_seconds(share: float, earlier: Reading, later: Reading) -> float | None:
    """The upper bound of the histogram bucket that holds the quantile of the events between two readings; None without any."""
    counts = {bound: count - earlier.buckets.get(bound, 0.0) for bound, count in sorted(later.buckets.items())}
    total = max(counts.values(), default=0.0)
    if total <= 0:
        return None
    return next(bound for bound, count in counts.items() if count >= share * total)
