"""The composition root of `tripcast prune`."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from adapters.environment.settings import PolicySettings, PostgresSettings
from adapters.files.policies import read_policy
from adapters.postgres.admin.migrate import check_schema
from adapters.postgres.admin.old_rows import (
    DEAD_LETTERS,
    EXPIRATIONS,
    MINUTES,
    REJECTED,
    SERVED,
    SIGNALS,
    Kind,
    count_older,
    delete_older,
)
from adapters.postgres.admin.pruning import Month, months, newest_event, prune_month, refuse_unread
from adapters.postgres.connection.pool import BULK_SECONDS, Connection, connected, open_pool
from batch.recipe import BEFORE_BREAK
from domain.retention import Cuts, Retention, cuts_of, still_read, whole_months

Say = Callable[[str], None]


class PruneSettings(PostgresSettings, PolicySettings):
    """What a prune needs: the owner's login, and the policy whose windows must stay."""


@dataclass(slots=True)
class Pruning:
    """What goes: months of history, and rows by table."""

    cuts: Cuts
    months: list[Month] = field(default_factory=list)
    rows: dict[str, int] = field(default_factory=dict)

    @property
    def nothing(self) -> bool:
        """Whether nothing is that old."""
        return not self.months and not any(self.rows.values())


@asynccontextmanager
async def _database(settings: PruneSettings) -> AsyncIterator[Connection]:
    """A connection that waits as long as the oldest reader reads: taking a month out waits for it, and makes nobody wait."""
    pool = await open_pool(settings.model_copy(update={"database_command_seconds": BULK_SECONDS}), "tripcast-prune")
    try:
        await check_schema(pool)
        async with connected(pool) as connection:
            yield connection
    finally:
        await pool.close()


async def plan(settings: PruneSettings, retention: Retention, before: datetime | None) -> Pruning:
    """What would go now. Raises DatabaseUnreachable, SchemaMismatch, and InvalidInput that names what still needs it."""
    needed = still_read(read_policy(settings.policy), BEFORE_BREAK.item())
    async with _database(settings) as connection:
        cuts = cuts_of(retention, datetime.now(UTC), await newest_event(connection), needed, before)
        stored = await months(connection)
        chosen = set(whole_months([month.first for month in stored], cuts.trips))
        going = Pruning(cuts, [month for month in stored if month.first in chosen or month.taken_out])
        for month in going.months:
            await refuse_unread(connection, month.first)
        for kind, cut in _kinds(going):
            going.rows[kind.table] = await count_older(connection, kind, cut)
    return going


async def prune(settings: PruneSettings, going: Pruning, actor: str, say: Say) -> dict[str, int]:
    """Let it go; returns how many rows by table, of `trips` those of the dropped months. Safe to repeat after a crash.

    Raises DatabaseUnreachable, SchemaMismatch, and InvalidInput for a login that is not the owner's.
    """
    gone = {"trips": 0}
    async with _database(settings) as connection:
        for month in going.months:
            trips = await prune_month(connection, month.first, actor)
            gone["trips"] += trips
            say(f"{month.first:%Y-%m}: {trips:,} trips dropped")
        for kind, cut in _kinds(going):
            gone[kind.table] = await delete_older(connection, kind, cut)
    return gone


def _kinds(going: Pruning) -> list[tuple[Kind, datetime]]:
    cuts = going.cuts
    by_event_time = [(kind, cuts.minutes) for kind in (*MINUTES, SIGNALS)]
    return [
        (EXPIRATIONS, cuts.trips),
        (DEAD_LETTERS, cuts.refused),
        (REJECTED, cuts.refused),
        (SERVED, cuts.served),
        *by_event_time,
    ]
