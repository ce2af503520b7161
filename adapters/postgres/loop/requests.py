"""What the loop has asked of the trainer, and what the trainer answered: each request is answered once."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asyncpg import Record

from adapters.postgres.connection.locks import alone
from adapters.postgres.connection.pool import Pool, connected
from adapters.postgres.tables.storable import as_json
from domain.loop.decisions import Answered, Outcome, Request, RequestKind
from domain.loop.journal import answered, minute_at

COLUMNS = "request_id, kind, subject, reason, body, event_at, requested_at"
OPEN = f"""
select {COLUMNS} from loop_requests
where answered_at is null and ($1::text[] is null or kind = any($1)) order by request_id
"""
STILL_OPEN = f"select {COLUMNS} from loop_requests where request_id = $1 and answered_at is null"
ANSWER = "update loop_requests set answered_at = now(), outcome = $2 where request_id = $1 and answered_at is null"
# Answers that the loop has not learnt: the journal is the record of what it has.
UNLEARNT = """
select kind, subject, outcome from loop_requests as r
where answered_at is not null and not exists (
    select from loop_journal as j
    where j.kind = 'fact' and j.body ->> 'fact' = 'answered'
        and j.body ->> 'kind' = r.kind and j.body ->> 'subject' = r.subject
)
order by request_id
"""


@dataclass(frozen=True, slots=True)
class OpenRequest:
    """A request that nobody has answered. `requested_at` is wall time; the request's minute is event time."""

    request_id: int
    request: Request
    requested_at: datetime


async def open_requests(pool: Pool, kinds: Sequence[RequestKind] | None = None) -> list[OpenRequest]:
    """The unanswered requests of these kinds (default: of all), oldest first. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        rows = await connection.fetch(OPEN, None if kinds is None else [kind.value for kind in kinds])
    return [_open_request(row) for row in rows]


@asynccontextmanager
async def taken(pool: Pool, request_id: int) -> AsyncIterator[OpenRequest | None]:
    """Hold a request while working on it: no other process has it at the same time. None when it is answered already.

    The hold ends with the process, however that ends. Raises ConcurrentUpdate when another process holds it, and
    DatabaseUnreachable.
    """
    async with alone(pool, f"loop request {request_id}"):
        async with connected(pool) as connection:
            row = await connection.fetchrow(STILL_OPEN, request_id)
        yield _open_request(row) if row else None


async def answer(pool: Pool, request_id: int, outcome: Outcome, reason: str, version: int | None = None) -> bool:
    """Answer a request; False when it was answered before: the first answer stands. Raises DatabaseUnreachable."""
    content = as_json({"outcome": outcome.value, "version": version, "reason": reason})
    async with connected(pool) as connection:
        changed: str = await connection.execute(ANSWER, request_id, content)
    return changed == "UPDATE 1"


async def unlearnt_answers(pool: Pool) -> list[Answered]:
    """Answers that the loop has not been told yet, in the order of the requests. Raises DatabaseUnreachable."""
    async with connected(pool) as connection:
        rows = await connection.fetch(UNLEARNT)
    return [answered(row["kind"], row["subject"], json.loads(row["outcome"])) for row in rows]


def _open_request(row: Record) -> OpenRequest:
    body: dict[str, Any] = json.loads(row["body"])
    request = Request(RequestKind(row["kind"]), row["subject"], row["reason"], minute_at(row["event_at"]), body)
    return OpenRequest(row["request_id"], request, row["requested_at"])
