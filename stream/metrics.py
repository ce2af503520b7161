"""What the worker counts, under the names that its users scrape; updated once a batch, never once an event."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter, time

import numpy as np
from numpy.typing import NDArray
from prometheus_client import CollectorRegistry, Counter, Gauge, generate_latest
from prometheus_client.core import HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from domain.entities.canaries import named_so
from domain.entities.models import ModelVersion
from domain.entities.rejections import SkipReason
from domain.entities.service import LATENCY_BUCKETS
from domain.entities.streams import BatchReceipt
from stream.score_events import Prepared

MINUTE_SECONDS = 60.0
LONGEST_SECONDS = 3600.0  # a record's timestamp is the producer's word; a wrong clock must not spoil the sum


class LatencyHistogram(Collector):
    """A Prometheus histogram that takes whole arrays: a call an event would cost more than scoring it."""

    def __init__(self, name: str, help_text: str) -> None:
        self._name, self._help = name, help_text
        self._counts = np.zeros(len(LATENCY_BUCKETS) + 1, dtype=np.int64)
        self._sum = 0.0

    def observe(self, seconds: NDArray[np.float64]) -> None:
        """Count values of shape (n,); negative ones (another machine's clock) count as zero."""
        seconds = np.clip(seconds, 0.0, LONGEST_SECONDS)
        bucket = np.searchsorted(LATENCY_BUCKETS, seconds, side="left")
        self._counts += np.bincount(bucket, minlength=len(self._counts))
        self._sum += float(seconds.sum())

    def collect(self) -> Iterable[Metric]:
        """Cumulative counts, as Prometheus wants them."""
        names = [*(str(edge) for edge in LATENCY_BUCKETS), "+Inf"]
        cumulative = [float(count) for count in np.cumsum(self._counts)]
        family = HistogramMetricFamily(self._name, self._help)
        family.add_metric([], list(zip(names, cumulative, strict=True)), sum_value=self._sum)
        yield family


@dataclass(slots=True)
class Waiting:
    """How long events wait in partitions that are behind: since the last one that became a row was published.

    Or since the partition was last seen at its end, if that is later. Seconds of wall time since 1970; `since` stands in where
    neither is known.
    """

    since: float
    _published: dict[int, float] = field(default_factory=dict)
    _at_end: dict[int, float] = field(default_factory=dict)

    def reached(self, timestamps_ms: Mapping[int, int], now: float) -> None:
        """By partition: the timestamp of the last record that became a row. By a producer's clock that is ahead: now."""
        self._published |= {number: min(stamp / 1000.0, now) for number, stamp in timestamps_ms.items()}

    def seconds(self, events: Mapping[int, int], now: float) -> dict[int, float]:
        """For each partition, by how many events it is behind; 0 at its end."""
        self._at_end |= {number: now for number, count in events.items() if not count}
        return {number: max(0.0, now - self._began(number)) if count else 0.0 for number, count in events.items()}

    def _began(self, partition: int) -> float:
        known = [where[partition] for where in (self._published, self._at_end) if partition in where]
        return max(known, default=self.since)


class Metrics:
    """The worker's own registry; nothing in it is global."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()
        self._received = Counter("tripcast_events_received", "Events stored, refused or skipped.", ["kind"], registry=registry)
        self._scored = Counter("tripcast_trips_scored", "Trips stored with their prediction.", registry=registry)
        self._settled = Counter("tripcast_trips_settled", "Trips that have a start and a completion.", registry=registry)
        self._refused = Counter("tripcast_events_quarantined", "Events refused.", ["reason"], registry=registry)
        self._repeated = Counter("tripcast_events_repeated", "Events that say again what is stored.", registry=registry)
        self._lost = Counter("tripcast_events_lost", "Events that retention took before they were read.", registry=registry)
        self._latency = LatencyHistogram(
            "tripcast_event_to_row_seconds", "From the record's timestamp to the commit of its row."
        )
        self._lag = Gauge("tripcast_lag_events", "Events in the topic that are not rows yet.", ["partition"], registry=registry)
        self._lag_seconds = Gauge(
            "tripcast_lag_seconds",
            "For how long the oldest event that is no row waits, at most.",
            ["partition"],
            registry=registry,
        )
        self._pool = Gauge("tripcast_database_connections", "Connections of the pool.", ["state"], registry=registry)
        self._champion = Gauge(
            "tripcast_champion_info", "The model that scores.", ["version", "kind", "run_id"], registry=registry
        )
        self._version = Gauge("tripcast_champion_version", "Version number of the model that scores.", registry=registry)
        self._registered = Gauge(
            "tripcast_champion_registered_timestamp_seconds", "When the model that scores was registered.", registry=registry
        )
        self._reference = Gauge(
            "tripcast_champion_reference_mae_seconds",
            "Mean absolute error of the model that scores on the held-out trips of its training; NaN: not recorded.",
            registry=registry,
        )
        self._challenger = Gauge("tripcast_challenger_version", "Version that shadows; 0: none does.", registry=registry)
        self._shadowed = Counter("tripcast_shadowed", "Trips stored with the shadow's prediction too.", registry=registry)
        self._shadow_refused = Counter(
            "tripcast_challenger_refused", "Challengers that failed a check or failed while scoring.", registry=registry
        )
        self._signals = Counter("tripcast_signals_sent", "Quality signals that Kafka took.", registry=registry)
        self._signals_dropped = Counter(
            "tripcast_signals_dropped", "Quality signals given up; made again from the rows.", ["reason"], registry=registry
        )
        self._untold = Counter(
            "tripcast_traces_untold", "Sampled events beyond what a batch may tell of in logs and spans.", registry=registry
        )
        self.registry_up = Gauge("tripcast_registry_up", "1 when the model registry answers.", registry=registry)
        self.database_up = Gauge("tripcast_database_up", "1 when the database answers.", registry=registry)
        self._stage = Counter("tripcast_stage_seconds", "Time spent in each stage.", ["stage"], registry=registry)
        self._event_time = Gauge(
            "tripcast_last_event_time_seconds", "Newest pickup stored, as seconds since 1970.", registry=registry
        )
        self._waiting = Waiting(time())
        registry.register(self._latency)

    def committed(self, prepared: Prepared, receipt: BatchReceipt, refused: Iterable[str], now_seconds: float) -> None:
        """Count a batch whose transaction is done. `refused`: the reasons of its dead letters."""
        batch = prepared.batch
        self._received.labels("started").inc(len(batch.started))
        self._received.labels("completed").inc(len(batch.completed))
        self._received.labels("invalid").inc(len(batch.dead_letters))
        self._scored.inc(int(receipt.stored.sum()))
        if batch.shadow is not None:
            self._shadowed.inc(int(receipt.stored.sum()))
        self._settled.inc(receipt.settled)
        self._repeated.inc(receipt.repeats)
        lost = [each for each in batch.skipped if each.reason is SkipReason.LOST]
        self._lost.inc(sum(each.last_offset - each.first_offset + 1 for each in lost))
        for reason in refused:
            self._refused.labels(reason).inc()
        self._latency.observe(now_seconds - prepared.timestamps_ms / 1000.0)
        last = {number: records[-1].timestamp for number, records in prepared.records.items() if records}
        self._waiting.reached(last, now_seconds)
        canaries = named_so(batch.started.trip_id)
        pickups = batch.started.pickup_at if canaries is None else batch.started.pickup_at[~canaries]
        if len(pickups):
            newest = pickups.max().astype(np.int64) / 1e6
            self._event_time.set(max(newest, self._event_time._value.get()))

    def lag(self, events: dict[int, int]) -> None:
        """Replace the lag of all partitions, so that one that moved away is not reported for ever."""
        self._lag.clear()
        self._lag_seconds.clear()
        seconds = self._waiting.seconds(events, time())
        for partition, count in events.items():
            self._lag.labels(str(partition)).set(count)
            self._lag_seconds.labels(str(partition)).set(seconds[partition])

    def pool(self, size: Callable[[], int], idle: Callable[[], int]) -> None:
        """Ask the connection pool at every scrape."""
        self._pool.labels("idle").set_function(idle)
        self._pool.labels("used").set_function(lambda: size() - idle())

    def champion(self, version: ModelVersion) -> None:
        """Name the model that scores from now on."""
        self._champion.clear()
        self._champion.labels(str(version.version), version.kind, version.run_id).set(1)
        self._version.set(version.version)
        self._registered.set(version.created_at.timestamp())
        self._reference.set(MINUTE_SECONDS * version.metrics.get("mae_minutes", float("nan")))

    def challenger(self, version: ModelVersion | None) -> None:
        """Name the version that shadows from now on, if one does."""
        self._challenger.set(version.version if version else 0)

    def challenger_refused(self) -> None:
        """One more challenger that is of no use."""
        self._shadow_refused.inc()

    def traces_untold(self, count: int) -> None:
        """So many sampled events were told of nowhere."""
        if count:
            self._untold.inc(count)

    def signal_sent(self) -> None:
        """One more quality signal is on Kafka."""
        self._signals.inc()

    def signal_dropped(self, reason: str) -> None:
        """One more was given up."""
        self._signals_dropped.labels(reason).inc()

    @contextmanager
    def stage(self, name: str, clock: Callable[[], float] = perf_counter) -> Iterator[None]:
        """Add the time that the block takes; by `time.thread_time`, without its waiting for a processor."""
        began = clock()
        try:
            yield
        finally:
            self._stage.labels(name).inc(clock() - began)

    def exposition(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)
