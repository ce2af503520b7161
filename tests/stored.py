"""What a stream store holds, looked at past its methods: the same view of the fake and of PostgreSQL."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from adapters.postgres.connection.pool import Pool
from tests.fakes.streams import InMemoryStreams

Where = tuple[int, int]  # partition, offset
Seconds = tuple[float, float, float]  # duration, lower, upper; exact, as float32 is


@dataclass(frozen=True)
class Stored:
    trips: dict[str, Where | None]
    completions: dict[str, Where | None]
    dead_letters: dict[Where, str]
    skipped: dict[Where, str]
    predictions: dict[tuple[str, str], tuple[int, Seconds]]  # by trip and role: the version, and what it said
    envelopes: dict[str, tuple[int | None, str | None]]  # when it was published, milliseconds since 1970, and its trace


async def stored_in_fake(fake: InMemoryStreams) -> Stored:
    state = fake.state
    return Stored(
        {trip_id: trip.record and trip.record[1:] for trip_id, trip in state.trips.items()},
        {trip_id: end.record and end.record[1:] for trip_id, end in state.completions.items()},
        {record[1:]: str(letter.reason) for record, letter in state.dead_letters.items()},
        {record[1:]: str(skipped.reason) for record, skipped in state.skipped.items()},
        dict(_predictions(fake)),
        {trip_id: (_ms(trip.published_at), trip.traceparent) for trip_id, trip in state.trips.items()},
    )


async def stored_in_postgres(pool: Pool) -> Stored:
    trips = await pool.fetch(
        "select trip_id, partition, record_offset from trips join predictions using (trip_id, partition, record_offset) "
        "where role = 'champion'"
    )
    predictions = await pool.fetch(
        "select trip_id, role::text, model_version, duration_seconds, lower_seconds, upper_seconds from predictions"
    )
    completions = await pool.fetch("select trip_id, partition, record_offset from completions")
    envelopes = await pool.fetch("select trip_id, (extract(epoch from published_at) * 1000)::bigint, traceparent from trips")
    letters = await pool.fetch("select partition, record_offset, reason from dead_letters")
    skipped = await pool.fetch(
        "select partition, o, reason from skipped_records, generate_series(first_offset, last_offset) as o"
    )
    return Stored(
        {trip_id: (partition, offset) for trip_id, partition, offset in trips},
        {trip_id: (partition, offset) for trip_id, partition, offset in completions},
        {(partition, offset): reason for partition, offset, reason in letters},
        {(partition, offset): reason for partition, offset, reason in skipped},
        {(trip_id, role): (version, tuple(seconds)) for trip_id, role, version, *seconds in predictions},
        {trip_id: (published_ms, traceparent) for trip_id, published_ms, traceparent in envelopes},
    )


def _ms(instant: np.datetime64 | None) -> int | None:
    return None if instant is None or np.isnat(instant) else int(instant.astype("datetime64[ms]").astype(np.int64))


def _predictions(fake: InMemoryStreams) -> Iterator[tuple[tuple[str, str], tuple[int, Seconds]]]:
    for trip_id, trip in fake.state.trips.items():
        for stamp, seconds in ((trip.stamp, trip.prediction), (trip.shadow_stamp, trip.shadow)):
            if stamp is not None and seconds is not None:
                duration, lower, upper = map(float, seconds)
                yield (trip_id, str(stamp.role)), (stamp.version, (duration, lower, upper))
