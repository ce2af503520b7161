"""Lifecycle events by wall time, and what follows from them: who was champion when."""

import json
from collections.abc import Sequence
from datetime import datetime

from asyncpg import Record

from adapters.postgres.connection.pool import Pool, connected
from domain.entities.models import LifecycleEvent, RoleChange

COLUMNS = "select kind, subject, actor, reason, at, details from lifecycle_events"
SINCE = COLUMNS + " where at >= $1 and kind = any($2::text[]) order by at desc, event_id desc limit $3"
OF_KINDS = COLUMNS + " where kind = any($1::text[]) order by event_id"


async def events_since(pool: Pool, since: datetime, kinds: Sequence[str], limit: int = 200) -> list[LifecycleEvent]:
    """The newest first. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        return [_event(row) for row in await connection.fetch(SINCE, since, list(kinds), limit)]


async def role_changes(pool: Pool) -> list[LifecycleEvent]:
    """Every change of the champion, oldest first. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        return [_event(row) for row in await connection.fetch(OF_KINDS, [kind.value for kind in RoleChange])]


def _event(row: Record) -> LifecycleEvent:
    return LifecycleEvent(**{**row, "details": json.loads(row["details"])})
