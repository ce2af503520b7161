"""The topics: names, partitions and retention. `tripcast migrate` creates them; the broker never does by itself."""

from dataclasses import dataclass

DAY_MS = 24 * 3600 * 1000
MAX_EVENT_BYTES = 64 * 1024  # a larger event is quarantined undecoded
MAX_RECORD_BYTES = 8 * 1024 * 1024  # what the broker accepts, so that an oversized event reaches quarantine, not an error
QUARANTINE_HEADROOM_BYTES = 1024 * 1024  # the reason and provenance headers come on top of the original record


@dataclass(frozen=True, slots=True)
class Topic:
    """One topic. `partitions` None means: as many as the settings say (`trip-predictions` follows `trip-events`)."""

    name: str
    purpose: str
    retention_ms: int
    partitions: int | None = None
    max_record_bytes: int = MAX_RECORD_BYTES


TRIP_EVENTS = Topic("trip-events", "trips as they start and complete, keyed by trip id", 7 * DAY_MS)
TRIP_PREDICTIONS = Topic("trip-predictions", "predictions of started trips, keyed by trip id, at least once", 7 * DAY_MS)
TRIP_QUARANTINE = Topic(
    "trip-quarantine",
    "refused events: original bytes and headers, plus reason and provenance",
    30 * DAY_MS,
    max_record_bytes=MAX_RECORD_BYTES + QUARANTINE_HEADROOM_BYTES,
)
QUALITY_SIGNALS = Topic("quality-signals", "batch summaries for drift detection", 7 * DAY_MS, partitions=1)
MODEL_LIFECYCLE = Topic("model-lifecycle", "what happens to models, in order", 365 * DAY_MS, partitions=1)

TOPICS = (TRIP_EVENTS, TRIP_PREDICTIONS, TRIP_QUARANTINE, QUALITY_SIGNALS, MODEL_LIFECYCLE)
