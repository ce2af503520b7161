"""The loop's memory: where its host stands, and the one transaction that stores a round and shuts out a second host."""

import json
import zlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from asyncpg import Record, UniqueViolationError

from adapters.postgres.connection.pool import Connection, Pool, connected, transaction
from adapters.postgres.loop.drift_signals import add_readings
from adapters.postgres.loop.expirations import expire
from adapters.postgres.loop.rollups import add_to_places, add_to_rollups, rollups_since
from adapters.postgres.tables.lifecycle import insert_lifecycle_event
from adapters.postgres.tables.storable import as_json, text
from domain.entities.models import LifecycleEvent
from domain.errors import Fenced
from domain.loop.decisions import Decision, Request
from domain.loop.journal import ACTOR, Entry, Round, Standing, event_of, minute_at, moment, read, written
from domain.loop.tracker import Reach
from domain.sums import Cells, Tally

CHUNK_ENTRIES = 200
# The newest of all sources: a topic that was created anew goes on in the same event time.
OPEN = """
select body, closed_until, expired_until, announced_event_id from open_tallies
where source_id <= $1 order by source_id desc limit 1
"""
REACHES = """
select o.partition, coalesce(m.next_offset, o.start_offset) as next_offset, m.newest
from stream_offsets as o left join monitor_positions as m using (source_id, partition)
where o.source_id = $1
"""
SEQ = "select coalesce(max(seq), 0) from loop_journal"
ENTRIES = "select seq, kind, body, event_at from loop_journal where seq > $1 order by seq limit $2"
# The first statement of a round: it waits here for a round of another host, and then sees what that has stored.
KEEP_OPEN = """
insert into open_tallies (source_id, body, closed_until, expired_until, announced_event_id) values ($1, $2, $3, $4, $5)
on conflict (source_id) do update set body = excluded.body, closed_until = excluded.closed_until,
    expired_until = excluded.expired_until, announced_event_id = excluded.announced_event_id, updated_at = now()
"""
POSITIONS = "select partition, next_offset from monitor_positions where source_id = $1"
MOVE = """
insert into monitor_positions (source_id, partition, next_offset, newest)
select $1, partition, next_offset, to_timestamp(newest * 60)
from unnest($2::integer[], $3::bigint[], $4::bigint[]) as moved (partition, next_offset, newest)
on conflict (source_id, partition) do update set next_offset = excluded.next_offset, newest = excluded.newest
"""
APPEND = "insert into loop_journal (seq, kind, body, event_at) values ($1, $2, $3, $4)"
ASK = """
insert into loop_requests (kind, subject, reason, body, event_at) values ($1, $2, $3, $4, $5)
on conflict (kind, subject) do nothing returning request_id
"""
OWED = """
select event_id, kind, subject, actor, reason, at, details from lifecycle_events
where actor = $1 and event_id > $2 order by event_id
"""


@dataclass(frozen=True, slots=True)
class Stored:
    """What a round left: how many trips expired."""

    expired: int


class LoopJournal:
    """Implements `stream.ports.LoopStore`'s part about rounds. Raises DatabaseUnreachable."""

    def __init__(self, pool: Pool, maturity_minutes: int) -> None:
        self._pool, self._maturity_minutes = pool, maturity_minutes

    async def standing(self, source_id: int) -> Standing:
        """Where the last round ended. Open cells are those of the roll-ups whose cohort has not become mature."""
        async with connected(self._pool) as connection, transaction(connection, isolation="repeatable_read", readonly=True):
            seq = await connection.fetchval(SEQ)
            reaches = {row["partition"]: _reach(row) for row in await connection.fetch(REACHES, source_id)}
            row = await connection.fetchrow(OPEN, source_id)
        if row is None:
            return Standing(seq, reaches)
        closed_until = _minute(row["closed_until"])
        since = None if closed_until is None else closed_until - self._maturity_minutes
        tally = replace(_unpacked(row["body"]), cells=await rollups_since(self._pool, since))
        return Standing(seq, reaches, tally, closed_until, _minute(row["expired_until"]), row["announced_event_id"])

    async def entries(self, until: int) -> AsyncIterator[list[Entry]]:
        """The journal from its beginning up to the number `until`, in order, in pieces."""
        seq = 0
        while seq < until:
            async with connected(self._pool) as connection:
                rows = await connection.fetch(ENTRIES, seq, min(CHUNK_ENTRIES, until - seq))
            if not rows:
                return
            yield [Entry(row["seq"], read(row["kind"], json.loads(row["body"])), minute_at(row["event_at"])) for row in rows]
            seq = rows[-1]["seq"]

    async def commit(self, source_id: int, made: Round) -> Stored:
        """Store a round, all of it or nothing. Raises Fenced when another host has stored one since `made.before`."""
        try:
            async with connected(self._pool) as connection, transaction(connection):
                await _keep_open(connection, source_id, made.after)
                await _fence(connection, source_id, made)
                await _append(connection, made)
                await add_to_rollups(connection, made.cells)
                await add_to_places(connection, made.places)
                await add_readings(connection, made.readings)
                await _move(connection, source_id, made)
                await _decide(connection, made.decisions)
                return Stored(await _expire(connection, made))
        except UniqueViolationError as error:
            raise Fenced("another worker leads the loop: it has written to the journal") from error

    async def owed(self, after_event_id: int) -> list[tuple[int, LifecycleEvent]]:
        """The loop's lifecycle events after one, with their ids, in order: those that are to be announced."""
        async with connected(self._pool) as connection:
            rows = await connection.fetch(OWED, ACTOR, after_event_id)
        return [(row["event_id"], _event(row)) for row in rows]


def _reach(row: Record) -> Reach:
    """Whether more is waiting is not stored; until somebody says so, it is."""
    return Reach(row["next_offset"], _minute(row["newest"]), caught_up=False)


def _event(row: Record) -> LifecycleEvent:
    words = (row["kind"], row["subject"], row["actor"], row["reason"])
    return LifecycleEvent(*words, at=row["at"], details=json.loads(row["details"]))


async def _keep_open(connection: Connection, source_id: int, after: Standing) -> None:
    marks = (_moment(after.closed_until), _moment(after.expired_until), after.announced_event_id)
    await connection.execute(KEEP_OPEN, source_id, _packed(after.open), *marks)


async def _fence(connection: Connection, source_id: int, made: Round) -> None:
    moved = {row["partition"]: row["next_offset"] for row in await connection.fetch(POSITIONS, source_id)}
    if any(made.before.get(partition) != offset for partition, offset in moved.items()):
        raise Fenced("another worker leads the loop: it has moved the positions")
    if await connection.fetchval(SEQ) != made.after.seq - len(made.entries):
        raise Fenced("another worker leads the loop: it has written to the journal")


async def _append(connection: Connection, made: Round) -> None:
    rows = []
    for entry in made.entries:
        kind, body = written(entry.given)
        plain = kind == "step"  # integers alone, and many
        rows.append((entry.seq, kind, json.dumps(body) if plain else as_json(body), moment(entry.minute)))
    await connection.executemany(APPEND, rows)


async def _move(connection: Connection, source_id: int, made: Round) -> None:
    reaches = made.after.reaches
    offsets, newest = [each.next_offset for each in reaches.values()], [each.minute for each in reaches.values()]
    await connection.execute(MOVE, source_id, list(reaches), offsets, newest)


async def _decide(connection: Connection, decisions: tuple[Decision, ...]) -> None:
    now = datetime.now(UTC)
    for decision in decisions:
        if isinstance(decision, Request):
            words = (decision.kind.value, text(decision.subject), text(decision.reason))
            asked = await connection.fetchval(ASK, *words, as_json(decision.body), moment(decision.minute))
            if asked is None:
                continue
        await insert_lifecycle_event(connection, event_of(decision, now))


async def _expire(connection: Connection, made: Round) -> int:
    now = made.after.closed_until
    return sum([await expire(connection, first, until, now if now is not None else until) for first, until in made.expire])


def _packed(tally: Tally) -> bytes:
    """Without the cells: the roll-ups hold them."""
    return zlib.compress(json.dumps(replace(tally, cells=Cells.empty()).as_lists()).encode(), 1)


def _unpacked(body: bytes) -> Tally:
    return Tally.from_lists(json.loads(zlib.decompress(body)))


def _moment(minute: int | None) -> datetime | None:
    return None if minute is None else moment(minute)


def _minute(instant: datetime | None) -> int | None:
    return None if instant is None else minute_at(instant)
