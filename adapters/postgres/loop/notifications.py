"""Lifecycle events that people have not been told of yet, and how far the telling has come."""

import json
from collections.abc import Sequence

from asyncpg import Record

from adapters.postgres.connection.pool import Pool, connected
from domain.entities.models import LifecycleEvent

# The first look starts at the end: nobody wants to be told the whole past.
START = """
insert into notifier_position (event_id) select coalesce(max(event_id), 0) from lifecycle_events
on conflict (only_row) do nothing
"""
# An event that says what another of the same hour has said is no news.
UNTOLD = """
select event_id, kind, subject, actor, reason, at, details, exists (
    select from lifecycle_events as before
    where before.kind = e.kind and before.subject = e.subject and before.reason = e.reason
        and before.event_id < e.event_id and before.at > e.at - interval '1 hour'
) as repeated
from lifecycle_events as e
where event_id > (select event_id from notifier_position) and kind = any($1::text[]) order by event_id limit $2
"""
MOVE = "update notifier_position set event_id = greatest(event_id, $1)"


class Notifications:
    """Implements `batch.notify.Untold`. Every method raises DatabaseUnreachable."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def next(self, kinds: Sequence[str], limit: int = 50) -> list[tuple[int, LifecycleEvent, bool]]:
        """Events of these kinds in order, each with its id, and whether it repeats one of the hour before it."""
        async with connected(self._pool) as connection:
            await connection.execute(START)
            rows = await connection.fetch(UNTOLD, list(kinds), limit)
        return [(row["event_id"], _event(row), row["repeated"]) for row in rows]

    async def told(self, event_id: int) -> None:
        """Everything up to this event is dealt with. Idempotent."""
        async with connected(self._pool) as connection:
            await connection.execute(MOVE, event_id)


def _event(row: Record) -> LifecycleEvent:
    words = row["kind"], row["subject"], row["actor"], row["reason"]
    return LifecycleEvent(*words, row["at"], json.loads(row["details"]))
