"""How much of everything the database holds: the numbers of a run's summary."""

import json
from dataclasses import dataclass

from adapters.postgres.connection.pool import Pool, connected, transaction


@dataclass(frozen=True, slots=True)
class Totals:
    """Counts of rows. `settled`: trips from the stream that have a champion's prediction and a completion."""

    trips_loaded: int
    trips_streamed: int
    completions_streamed: int
    scored: int
    settled: int
    skipped: dict[str, int]
    dead_letters: dict[str, int]
    refused_rows: dict[str, int]


async def totals(pool: Pool) -> Totals:
    """Count. Reads whole tables: for the end of a run, not for a live line. Raises DatabaseUnreachable."""
    async with connected(pool) as connection, transaction(connection, isolation="repeatable_read", readonly=True):
        [row] = await connection.fetch(COUNTS)
        skipped = await connection.fetch(SKIPPED)
        dead_letters = await connection.fetch("select reason, count(*) from dead_letters group by reason order by reason")
        rejected = await connection.fetch("select rejected::text from loaded_files")
    return Totals(
        **dict(row),
        skipped={reason: int(count) for reason, count in skipped},
        dead_letters={reason: int(count) for reason, count in dead_letters},
        refused_rows=_sum_by_reason([json.loads(text) for (text,) in rejected]),
    )


COUNTS = """
select (select count(*) from trips where source_id is null) as trips_loaded,
       (select count(*) from trips where source_id is not null) as trips_streamed,
       (select count(*) from completions where source_id is not null) as completions_streamed,
       (select count(*) from predictions where role = 'champion') as scored,
       (select count(*) from predictions join completions using (trip_id, pickup_at) where role = 'champion') as settled
"""

SKIPPED = "select reason, sum(last_offset - first_offset + 1) from skipped_records group by reason order by reason"


def _sum_by_reason(counts: list[dict[str, int]]) -> dict[str, int]:
    summed: dict[str, int] = {}
    for reasons in counts:
        for reason, count in reasons.items():
            summed[reason] = summed.get(reason, 0) + int(count)
    return summed
