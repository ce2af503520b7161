"""The story of the models, read from the record. Times are wall time: when it was done, not what time the trips told."""

import json
from datetime import datetime

from asyncpg import Record

from adapters.postgres.connection.pool import Pool, connected, transaction
from domain.entities.models import LifecycleEvent, RoleChange
from domain.entities.story import AskedFor, Story, Verdict

CHAMPION = """
select kind, subject, actor, reason, at, details from lifecycle_events
where kind = any($1::text[]) and at <= $2 order by event_id desc limit 1
"""
EVENTS = """
select kind, subject, actor, reason, at, details from lifecycle_events
where at <= $1 and ($2::text is null or subject = $2) and kind <> all($4::text[]) order by event_id desc limit $3
"""
REQUESTS = """
select kind, subject, reason, event_at, requested_at, answered_at, outcome from loop_requests
where requested_at <= $1 and ($2::text is null or subject = $2) order by request_id desc limit $3
"""
VERDICTS = """
select subject, model_version, gate, passed, reason, numbers, at from gate_results
where at <= $1 and ($2::text is null or subject = $2) order by gate_result_id desc limit $3
"""
VERDICTS_OF_A_TRAINING = 20  # more than there are gates
# Alarms are suspicions: what became of them is told by other events. How workers come and go is no story of models.
TOO_MANY = ("drift.alarm", "worker.started", "worker.stopped", "worker.rebalanced")


async def story(pool: Pool, at: datetime, subject: str | None = None, limit: int = 50) -> Story:
    """What had happened up to `at`, of one subject or of all, the newest `limit` of each kind; one view of the database."""
    async with connected(pool) as connection, transaction(connection, isolation="repeatable_read", readonly=True):
        champion = await connection.fetchrow(CHAMPION, [kind.value for kind in RoleChange], at)
        events = await connection.fetch(EVENTS, at, subject, limit, () if subject else TOO_MANY)
        requests = await connection.fetch(REQUESTS, at, subject, limit)
        verdicts = await connection.fetch(VERDICTS, at, subject, limit * VERDICTS_OF_A_TRAINING)
    return Story(
        at,
        _event(champion) if champion else None,
        tuple(map(_event, reversed(events))),
        tuple(_asked(row, at) for row in reversed(requests)),
        tuple(map(_verdict, reversed(verdicts))),
    )


def _event(row: Record) -> LifecycleEvent:
    words = row["kind"], row["subject"], row["actor"], row["reason"]
    return LifecycleEvent(*words, row["at"], json.loads(row["details"]))


def _asked(row: Record, at: datetime) -> AskedFor:
    """As it was then: an answer that came later is not known yet."""
    known = row["answered_at"] is not None and row["answered_at"] <= at
    answer = json.loads(row["outcome"]) if known else {}
    times = row["event_at"], row["requested_at"], row["answered_at"] if known else None
    outcome = answer.get("outcome"), answer.get("version"), answer.get("reason")
    return AskedFor(row["kind"], row["subject"], row["reason"], *times, *outcome)


def _verdict(row: Record) -> Verdict:
    return Verdict(**{**row, "numbers": json.loads(row["numbers"])})
