"""What happened to models, the stream and roles, with who did it and why: appended, never changed."""

import json
from collections.abc import Sequence
from dataclasses import fields

from adapters.postgres.connection.pool import Connection, Pool, connected
from adapters.postgres.tables.storable import as_json, text
from domain.entities.models import LifecycleEvent

INSERT = "insert into lifecycle_events (at, kind, subject, actor, reason, details) values ($1, $2, $3, $4, $5, $6)"
NEWEST = """
select kind, subject, actor, reason, at, details from lifecycle_events
where $1::text is null or kind = $1 order by event_id desc limit $2
"""


async def insert_lifecycle_event(connection: Connection, event: LifecycleEvent) -> None:
    """Append an event on an open connection, so that it can be part of a transaction."""
    words = (event.kind, event.subject, event.actor, event.reason)
    await connection.execute(INSERT, event.at, *map(text, words), as_json(event.details))


async def record_lifecycle_event(pool: Pool, event: LifecycleEvent) -> None:
    """Append an event."""
    async with connected(pool) as connection:
        await insert_lifecycle_event(connection, event)


async def lifecycle_events(pool: Pool, kind: str | None = None, limit: int = 100) -> Sequence[LifecycleEvent]:
    """The newest events first."""
    async with connected(pool) as connection:
        rows = await connection.fetch(NEWEST, kind, limit)
    return [LifecycleEvent(**{**row, "details": json.loads(row["details"])}) for row in rows]


AFTER = """
select event_id, kind, subject, actor, reason, at, details from lifecycle_events where event_id > $1 order by event_id limit 100
"""


async def lifecycle_events_after(pool: Pool, event_id: int | None) -> tuple[int, Sequence[LifecycleEvent]]:
    """The events after that one in order, a hundred at most, and the number of the last; for None only its number."""
    async with connected(pool) as connection:
        if event_id is None:
            return await connection.fetchval("select coalesce(max(event_id), 0) from lifecycle_events"), []
        rows = [dict(row) for row in await connection.fetch(AFTER, event_id)]
    last = rows[-1]["event_id"] if rows else event_id
    names = [field.name for field in fields(LifecycleEvent)]
    return last, [
        LifecycleEvent(**{name: row[name] for name in names} | {"details": json.loads(row["details"])}) for row in rows
    ]


NEWEST_OF = """
select kind, subject, actor, reason, at, details from lifecycle_events
where kind = any($1::text[]) and ($2::text is null or subject = $2) order by event_id desc limit 1
"""


class Journal:
    """Implements `domain.ports.LifecycleJournal`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def record(self, event: LifecycleEvent) -> None:
        """Append an event."""
        await record_lifecycle_event(self._pool, event)

    async def newest(self, kinds: Sequence[str], subject: str | None = None) -> LifecycleEvent | None:
        """The event of these kinds, and about this subject if one is given, that was recorded last."""
        async with connected(self._pool) as connection:
            row = await connection.fetchrow(NEWEST_OF, list(kinds), subject)
        return LifecycleEvent(**{**row, "details": json.loads(row["details"])}) if row else None
