"""How far the loop has come: for whoever must wait until it has taken in, decided and learnt all there is."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from adapters.postgres.connection import Pool, connected
from adapters.postgres.requests import unlearnt_answers
from domain.policy import Timing

PROGRESS = """
select coalesce(jsonb_object_agg(partition, next_offset), '{}')::text as next_offsets,
    (extract(epoch from max(newest)) / 60)::bigint as newest,
    (select (extract(epoch from closed_until) / 60)::bigint from open_tallies where source_id = $1) as closed_until,
    (select count(*) from loop_requests where answered_at is null) as open_requests
from monitor_positions where source_id = $1
"""
LEARNT = """
select distinct on (body ->> 'fact') body ->> 'fact' as fact, (body ->> 'version')::integer as version
from loop_journal where kind = 'fact' and body ->> 'fact' in ('champion', 'challenger')
order by body ->> 'fact', seq desc
"""


@dataclass(frozen=True, slots=True)
class LoopProgress:
    """`next_offsets`: taken in, by partition. Minutes are event time. `champion` and `shadow`: as the loop was told."""

    next_offsets: dict[int, int]
    newest: int | None
    closed_until: int | None
    open_requests: int
    unlearnt_answers: int
    champion: int | None
    shadow: int | None

    def is_level(self, ends: Mapping[int, int], timing: Timing) -> bool:
        """Whether everything up to these offsets is taken in, every step is closed that can be, and no answer is awaited."""
        taken_in = all(self.next_offsets.get(partition, 0) >= end for partition, end in ends.items())
        waits = timing.step_minutes + timing.lateness_minutes
        closed = self.newest is None or (self.closed_until is not None and self.closed_until + waits > self.newest)
        return taken_in and closed and not self.open_requests and not self.unlearnt_answers


async def loop_progress(pool: Pool, source_id: int) -> LoopProgress:
    """How far the loop has come with a source. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        [row] = await connection.fetch(PROGRESS, source_id)
        learnt = {each["fact"]: each["version"] for each in await connection.fetch(LEARNT)}
    return LoopProgress(
        next_offsets={int(partition): offset for partition, offset in json.loads(row["next_offsets"]).items()},
        newest=row["newest"],
        closed_until=row["closed_until"],
        open_requests=row["open_requests"],
        unlearnt_answers=len(await unlearnt_answers(pool)),
        champion=learnt.get("champion"),
        shadow=learnt.get("challenger"),
    )
