"""What a stream store holds, looked at past its methods: the same view of the fake and of PostgreSQL."""

from dataclasses import dataclass

from adapters.postgres.connection import Pool
from tests.fakes.streams import InMemoryStreams

Where = tuple[int, int]  # partition, offset


@dataclass(frozen=True)
class Stored:
    trips: dict[str, Where | None]
    completions: dict[str, Where | None]
    dead_letters: dict[Where, str]
    skipped: dict[Where, str]


async def stored_in_fake(fake: InMemoryStreams) -> Stored:
    state = fake.state
    return Stored(
        {trip_id: trip.record and trip.record[1:] for trip_id, trip in state.trips.items()},
        {trip_id: end.record and end.record[1:] for trip_id, end in state.completions.items()},
        {record[1:]: str(letter.reason) for record, letter in state.dead_letters.items()},
        {record[1:]: str(skipped.reason) for record, skipped in state.skipped.items()},
    )


async def stored_in_postgres(pool: Pool) -> Stored:
    trips = await pool.fetch(
        "select trip_id, partition, record_offset from trips join predictions using (trip_id, partition, record_offset)"
    )
    completions = await pool.fetch("select trip_id, partition, record_offset from completions")
    letters = await pool.fetch("select partition, record_offset, reason from dead_letters")
    skipped = await pool.fetch(
        "select partition, o, reason from skipped_records, generate_series(first_offset, last_offset) as o"
    )
    return Stored(
        {trip_id: (partition, offset) for trip_id, partition, offset in trips},
        {trip_id: (partition, offset) for trip_id, partition, offset in completions},
        {(partition, offset): reason for partition, offset, reason in letters},
        {(partition, offset): reason for partition, offset, reason in skipped},
    )
