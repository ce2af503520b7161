"""All that the host of the loop asks of PostgreSQL: its memory, the rows behind it, and what others have done meanwhile."""

from collections.abc import Mapping

from adapters.postgres.connection.pool import Pool, connected
from adapters.postgres.loop.baselines import find_baseline
from adapters.postgres.loop.journal import LoopJournal
from adapters.postgres.loop.requests import unlearnt_answers
from adapters.postgres.loop.stretches import Stretch, stretch
from domain.areas import AreaGrid
from domain.baselines import Baseline
from domain.entities.models import RoleChange
from domain.loop.decisions import Approved, Fact
from domain.services.approve_training import APPROVED

COMMITTED = "select partition, next_offset from stream_offsets where source_id = $1"
APPROVALS = """
select distinct on (subject) subject from lifecycle_events as e
where kind = $1 and not exists (
    select from loop_journal as j where j.kind = 'fact' and j.body ->> 'fact' = 'approved' and j.body ->> 'subject' = e.subject
)
"""
NEWEST_CHANGE = "select kind from lifecycle_events where kind = any($1) and subject = $2 order by event_id desc limit 1"


class LoopStore(LoopJournal):
    """Implements `stream.monitor_ports.LoopStore`. Raises DatabaseUnreachable."""

    def __init__(self, pool: Pool, grid: AreaGrid, maturity_minutes: int) -> None:
        super().__init__(pool, maturity_minutes)
        self._grid = grid

    async def committed(self, source_id: int) -> Mapping[int, int]:
        """Up to which offset rows are stored, for each partition that was ever read."""
        async with connected(self._pool) as connection:
            rows = await connection.fetch(COMMITTED, source_id)
        return {row["partition"]: row["next_offset"] for row in rows}

    async def stretch(self, source_id: int, partition: int, offsets: tuple[int, int]) -> Stretch:
        """What the committed records [first, next) of a partition became."""
        return await stretch(self._pool, self._grid, source_id, partition, offsets)

    async def unlearnt(self) -> list[Fact]:
        """Answers and approvals that are not in the journal."""
        async with connected(self._pool) as connection:
            approvals = await connection.fetch(APPROVALS, APPROVED)
        return [*(Approved(row["subject"]) for row in approvals), *await unlearnt_answers(self._pool)]

    async def baseline(self, version: int, run_id: str | None) -> Baseline | None:
        """What is normal for a version, or None when nobody knows."""
        return await find_baseline(self._pool, version, run_id)

    async def rolled_back(self, version: int) -> bool:
        """Whether the version is champion because another was rolled back."""
        async with connected(self._pool) as connection:
            kind = await connection.fetchval(NEWEST_CHANGE, [change.value for change in RoleChange], f"version {version}")
        return bool(kind == RoleChange.ROLLED_BACK)
