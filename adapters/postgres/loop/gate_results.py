"""What the gates found, kept for ever: every verdict with its numbers and its reason in words."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from adapters.postgres.connection.pool import Pool, connected
from adapters.postgres.tables.storable import as_json, text
from domain.gates import GateResult

INSERT = """
insert into gate_results (subject, model_version, gate, passed, reason, numbers)
select $1, $2, * from unnest($3::text[], $4::boolean[], $5::text[], $6::jsonb[])
"""
FIND = """
select subject, model_version, gate, passed, reason, numbers, at from gate_results
where $1::text is null or subject = $1 order by gate_result_id desc limit $2
"""

# The results of one training are stored by one statement, so that they are of one moment.
REFUSED_BY = """
select gate from gate_results where subject = $1 and not passed
    and at = (select max(at) from gate_results where subject = $1) order by gate_result_id
"""


@dataclass(frozen=True, slots=True)
class StoredGateResult:
    """A result, whose training it was about, and when."""

    subject: str
    model_version: int | None
    result: GateResult
    at: datetime


async def add_gate_results(pool: Pool, subject: str, version: int | None, results: Sequence[GateResult]) -> None:
    """Store what the gates found about one training, all or nothing. Raises DatabaseUnreachable."""
    gates, reasons = [text(each.gate) for each in results], [text(each.reason) for each in results]
    numbers = [as_json(each.numbers) for each in results]
    async with connected(pool) as connection:
        await connection.execute(INSERT, text(subject), version, gates, [each.passed for each in results], reasons, numbers)


async def gate_results(pool: Pool, subject: str | None = None, limit: int = 200) -> list[StoredGateResult]:
    """The newest first, of one subject or of all. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        rows = await connection.fetch(FIND, subject, limit)
    return [
        StoredGateResult(
            row["subject"],
            row["model_version"],
            GateResult(row["gate"], row["passed"], row["reason"], json.loads(row["numbers"])),
            row["at"],
        )
        for row in rows
    ]


async def refused_by(pool: Pool, subject: str) -> list[str]:
    """The gates that were against the subject's newest training. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        return [row["gate"] for row in await connection.fetch(REFUSED_BY, subject)]
