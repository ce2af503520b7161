"""The records that leave no row: dead letters and skipped ranges, so that an audit can account for every offset."""

from collections.abc import Iterable, Sequence

from adapters.postgres.connection.pool import Connection
from adapters.postgres.tables.storable import text
from domain.entities.rejections import DeadLetter, SkipReason
from domain.entities.streams import Skipped

INSERT_DEAD_LETTER = """
insert into dead_letters
    (source_id, partition, record_offset, record_at, key, value, header_names, header_values, reason, detail)
values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
on conflict (source_id, partition, record_offset) do nothing
returning true
"""
INSERT_REPEATS = """
insert into skipped_records (source_id, partition, first_offset, last_offset, reason, trip_id)
select $1, partition, record_offset, record_offset, $5, trip_id
from unnest($2::integer[], $3::bigint[], $4::text[]) as r (partition, record_offset, trip_id)
on conflict do nothing
"""
# Only what nothing else accounts for: after positions were reset by hand, a range may hold records that were read before.
INSERT_RANGE = """
with accounted (first_offset, last_offset) as (
    select record_offset, record_offset from trips
    where source_id = $1 and partition = $2 and record_offset between $3 and $4
    union all
    select record_offset, record_offset from completions
    where source_id = $1 and partition = $2 and record_offset between $3 and $4
    union all
    select record_offset, record_offset from dead_letters
    where source_id = $1 and partition = $2 and record_offset between $3 and $4
    union all
    select first_offset, last_offset from skipped_records
    where source_id = $1 and partition = $2 and first_offset <= $4 and last_offset >= $3
    union all
    values ($3::bigint - 1, $3::bigint - 1), ($4::bigint + 1, $4::bigint + 1)
), gaps as (
    select max(last_offset) over before + 1 as first_offset, lead(first_offset) over before - 1 as last_offset
    from accounted
    window before as (order by first_offset, last_offset)
)
insert into skipped_records (source_id, partition, first_offset, last_offset, reason, trip_id)
select $1, $2, first_offset, last_offset, $5, $6 from gaps where first_offset <= last_offset
"""


async def insert_dead_letters(connection: Connection, source_id: int, letters: Sequence[DeadLetter]) -> int:
    """Store refused events; returns how many were not stored yet."""
    if not letters:
        return 0
    return len(await connection.fetchmany(INSERT_DEAD_LETTER, [_letter_row(source_id, letter) for letter in letters]))


async def insert_repeats(connection: Connection, source_id: int, repeats: Sequence[Skipped]) -> None:
    """Record identical repeats, one record each. Idempotent."""
    if repeats:
        await connection.execute(
            INSERT_REPEATS,
            source_id,
            [repeat.partition for repeat in repeats],
            [repeat.first_offset for repeat in repeats],
            [repeat.trip_id for repeat in repeats],
            SkipReason.IDENTICAL_REPEAT,
        )


async def insert_ranges(connection: Connection, source_id: int, ranges: Iterable[Skipped]) -> None:
    """Record ranges without events, where no row, dead letter or other range accounts for them. Idempotent."""
    for skipped in ranges:
        await connection.execute(
            INSERT_RANGE,
            source_id,
            skipped.partition,
            skipped.first_offset,
            skipped.last_offset,
            skipped.reason,
            skipped.trip_id,
        )


def _letter_row(source_id: int, letter: DeadLetter) -> tuple[object, ...]:
    return (
        source_id,
        letter.partition,
        letter.offset,
        letter.timestamp,
        letter.key,
        letter.value,
        [text(name) for name, _ in letter.headers],
        [value for _, value in letter.headers],
        letter.reason,
        text(letter.detail),
    )
