"""Quix Streams 3.28 with its own PostgreSQL sink, which gathers rows between checkpoints and inserts them by `execute_values`.

Each trip is scored when it comes, as its dataframes work. One sink for the three tables, hence one transaction for each
partition and checkpoint; `commit_every` is the batch of the others, instead of its default, a checkpoint every five seconds.
Events are decoded by msgspec, faster than Quix's own JSON, and no table is altered while it runs (`schema_auto_update`).
"""

import argparse
import json
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
import psycopg2
from quixstreams import Application
from quixstreams.models import Deserializer, Serializer
from quixstreams.sinks.community.postgresql import PostgreSQLSink

from benchmarks.stream.rate import Commits
from benchmarks.stream.rivals.arguments import parser
from benchmarks.stream.scoring import Score, scorer
from benchmarks.stream.tables import TABLES
from schemas.events import TripCompleted, TripEvent, TripStarted

PREFIX = "quix"
PREDICTED = ("trip_id", "duration_seconds", "model_version", "scored_at")

_decode: Callable[[bytes], TripStarted | TripCompleted] = msgspec.json.Decoder(TripEvent).decode
_encode = msgspec.json.Encoder().encode


class EventDeserializer(Deserializer):  # type: ignore[misc]
    """An event by msgspec."""

    def __call__(self, value: bytes, ctx: Any) -> TripStarted | TripCompleted:  # noqa: ARG002 - Quix names it
        """As Quix calls it."""
        return _decode(value)


class PredictionSerializer(Serializer):  # type: ignore[misc]
    """What the bare loop publishes."""

    def __call__(self, value: dict[str, Any], ctx: Any) -> bytes:  # noqa: ARG002 - Quix names it
        """As Quix calls it."""
        return _encode({name: value[name] for name in PREDICTED})


class CountingSink(PostgreSQLSink):  # type: ignore[misc]
    """Tells when a checkpoint's rows are committed."""

    def __init__(self, commits: Commits, **settings: Any) -> None:
        super().__init__(**settings)
        self._commits = commits

    def flush(self) -> None:
        """All partitions of a checkpoint, then their events are counted."""
        rows = [item for batch in self._batches.values() for item in batch]
        events = sum("duration_seconds" not in row.value for row in rows)  # a started trip is two rows
        super().flush()
        if events:
            self._commits.add(events)


def run(arguments: argparse.Namespace) -> dict[str, float]:
    """Read everything once."""
    score, commits = scorer(arguments.model), Commits()
    address = urlsplit(arguments.database)
    place = {"host": address.hostname, "port": address.port, "dbname": address.path[1:]}
    login = {"user": address.username, "password": address.password}
    with psycopg2.connect(**place, **login) as connection, connection.cursor() as cursor:
        cursor.execute(TABLES.format(PREFIX))
    at_end = _countdown(arguments.events)
    with tempfile.TemporaryDirectory() as folder:
        app: Application = Application(
            arguments.kafka,
            consumer_group=f"quix-{datetime.now(UTC):%H%M%S%f}",
            auto_offset_reset="earliest",
            commit_every=arguments.batch,
            state_dir=folder,
            use_changelog_topics=False,
            loglevel="ERROR",
            on_message_processed=lambda *_: at_end() and app.stop(),
        )
        sink = CountingSink(
            commits,
            **place,
            **login,
            table_name=_table_of,
            schema_auto_update=False,
            include_metadata=False,
            on_conflict_do_nothing=True,
        )
        _build(app, arguments, score, sink)
        app.run()
    return commits.rate()


def _build(app: Application, arguments: argparse.Namespace, score: Score, sink: PostgreSQLSink) -> None:
    events = app.dataframe(app.topic(arguments.topic, value_deserializer=EventDeserializer()))
    output = app.topic(arguments.output, value_serializer=PredictionSerializer())
    started = events.filter(lambda event: type(event) is TripStarted).apply(lambda trip: _scored(trip, score))
    started.to_topic(output).apply(_rows, expand=True).sink(sink)
    events.filter(lambda event: type(event) is TripCompleted).apply(_completion).sink(sink)


def _countdown(events: int) -> Callable[[], bool]:
    """Says True when it is called the last time of so many."""
    left = iter(range(events - 1, -1, -1))
    return lambda: next(left, 0) == 0


def _scored(trip: TripStarted, score: Score) -> dict[str, Any]:
    return {
        "trip_id": trip.trip_id,
        "vendor_id": trip.vendor_id,
        "passenger_count": trip.passenger_count,
        "pickup_at": trip.pickup_at,
        "pickup_latitude": trip.pickup.latitude,
        "pickup_longitude": trip.pickup.longitude,
        "dropoff_latitude": trip.dropoff.latitude,
        "dropoff_longitude": trip.dropoff.longitude,
        "model_version": 1,
        "duration_seconds": float(score([trip])[0]),
        "scored_at": datetime.now(UTC),
    }


def _rows(scored: dict[str, Any]) -> list[dict[str, Any]]:
    prediction = {name: scored.pop(name) for name in PREDICTED[1:]}
    return [scored, {"trip_id": scored["trip_id"], **prediction}]


def _completion(event: TripCompleted) -> dict[str, Any]:
    return {"trip_id": event.trip_id, "dropoff_at": event.dropoff_at}


def _table_of(item: Any) -> str:
    value = item.value
    if "dropoff_at" in value:
        return f"{PREFIX}_completions"
    return f"{PREFIX}_predictions" if "duration_seconds" in value else f"{PREFIX}_trips"


def main() -> None:
    """Prints one JSON line."""
    print(json.dumps(run(parser().parse_args())))


if __name__ == "__main__":
    main()
