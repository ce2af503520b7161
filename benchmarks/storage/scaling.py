"""The arithmetic of docs/scaling.md: what a rate of events comes to, from what was measured on one machine."""

import math
from collections.abc import Callable

from benchmarks.figures import MISSING, Results, table

RATES = (1_000, 10_000, 100_000, 1_000_000)
LOAD = 0.5  # of what was measured: room for a rush hour, for a rebalance, and to catch up after an outage
CORES = 2  # of the machine on which worker, Kafka, PostgreSQL and the load shared everything
COPIES = 3  # that Kafka keeps of an event
DAY_SECONDS = 86_400
NEEDED = (
    "stream.events_per_second",
    "storage.bytes_per_trip",
    "storage.journal_bytes_per_event",
    "storage.trip_events_kafka_bytes",
    "storage.trip_predictions_kafka_bytes",
)


def rates(results: Results) -> str:
    """One row for each rate; half of the events are pickups."""
    rows = [
        (f"{rate:,}", *(_row(rate, results) if all(name in results for name in NEEDED) else [MISSING] * 5)) for rate in RATES
    ]
    columns = ("events/s", "shares", "cores", "PostgreSQL, rows a day", "its journal a day", "Kafka a day, three copies")
    return table(columns, rows)


def _row(rate: int, results: Results) -> list[str]:
    capacity, per_trip, journal, event, prediction = (float(results.known[name]) for name in NEEDED)
    shares = math.ceil(rate / (capacity * LOAD))
    kafka = rate * event + rate / 2 * prediction
    a_day = (rate / 2 * per_trip, rate * journal, kafka * COPIES)
    return [f"{shares:,}", f"{shares * CORES:,}", *(amount(each * DAY_SECONDS) for each in a_day)]


def amount(count: float) -> str:
    """Bytes in words, to two digits or more."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:  # noqa: PLR2004 - decimal units
            return f"{count:,.0f} {unit}"
        count /= 1000
    return f"{count:,.1f} TB"


TABLES: dict[str, Callable[[Results], str]] = {"scaling": rates}
