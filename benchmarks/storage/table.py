"""The table of storage in docs/scaling.md and docs/performance.md."""

from collections.abc import Callable

from benchmarks.figures import Results, table

TABLES_OF_A_TRIP = ("trips", "predictions", "completions")
FIGURES = {
    "a row of `trips`, indexes included": "trips_bytes_per_row",
    "a row of `predictions`": "predictions_bytes_per_row",
    "a row of `completions`": "completions_bytes_per_row",
    "a trip: one of each": "bytes_per_trip",
    "PostgreSQL's journal (WAL), for each event": "journal_bytes_per_event",
    "an event in `trip-events`": "trip_events_kafka_bytes",
    "a prediction in `trip-predictions`": "trip_predictions_kafka_bytes",
}


def rows(results: Results) -> list[tuple[str, str, str]]:
    """What, and how many bytes."""
    return [(what, results.figure(f"storage.{name}"), "") for what, name in FIGURES.items()]


def figures(results: Results) -> str:
    """One row for each."""
    return f"{table(('what', 'bytes'), [row[:2] for row in rows(results)])}\n\n{results.measured('storage')}"


TABLES: dict[str, Callable[[Results], str]] = {"storage": figures}
