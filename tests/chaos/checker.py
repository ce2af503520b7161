"""The one judge of all chaos tests: compares the producer's journal with the database and names every violation.

It reads tables, not our code: a bug in the worker or in the audit must not hide itself here. `test_checker.py` proves it on
planted bugs. As a program: `python -m tests.chaos.checker JOURNAL DATABASE`, exit code 1 when a promise is broken.
"""

import argparse
import asyncio
import sys
from collections import Counter
from datetime import UTC
from pathlib import Path
from typing import Any

import asyncpg

from schemas.events import TripCompleted, TripStarted
from tests.chaos.journal import Entry, Journal

PLACES = """
select 'trips' as place, partition, record_offset from trips where source_id is not null
union all select 'completions', partition, record_offset from completions where source_id is not null
union all select 'dead_letters', partition, record_offset from dead_letters
union all select 'skipped', partition, o from skipped_records, generate_series(first_offset, last_offset) as o
"""
VERSIONS = """
select partition, record_offset, model_version,
       lag(model_version) over (partition by source_id, partition order by record_offset) as before
from predictions where role = 'champion'
"""


async def violations(journal: Journal, connection: asyncpg.Connection, *, drained: bool = True) -> list[str]:
    """Every broken promise, in words; empty when all are kept. `drained`: all sent events must be accounted for by now."""
    places: dict[tuple[int, int], list[str]] = {}
    for row in await connection.fetch(PLACES):
        places.setdefault((row["partition"], row["record_offset"]), []).append(row["place"])
    sent = {(entry.partition, entry.offset): entry for entry in journal.sent}
    found = _lost(sent, places) if drained else []
    found += _doubled(places)
    if not journal.unknown:
        found += [f"never sent: {where} is in {names}" for where, names in places.items() if where not in sent]
    found += await _gaps(connection, places)
    found += await _different(connection, sent)
    found += await _unpredicted(connection)
    return found + await _version_went_back(connection)


def _lost(sent: dict[tuple[int, int], Entry], places: dict[tuple[int, int], list[str]]) -> list[str]:
    return [f"lost: {entry.key!r} at {where}" for where, entry in sent.items() if where not in places]


def _doubled(places: dict[tuple[int, int], list[str]]) -> list[str]:
    return [f"twice: {where} is in {names}" for where, names in places.items() if len(names) > 1]


async def _gaps(connection: asyncpg.Connection, places: dict[tuple[int, int], list[str]]) -> list[str]:
    counts = Counter(partition for partition, _ in places)
    found = []
    for row in await connection.fetch("select partition, start_offset, next_offset from stream_offsets"):
        expected = row["next_offset"] - row["start_offset"]
        if counts[row["partition"]] != expected:
            found.append(f"gap: partition {row['partition']} accounts for {counts[row['partition']]} of {expected} offsets")
    return found


async def _different(connection: asyncpg.Connection, sent: dict[tuple[int, int], Entry]) -> list[str]:
    """Contents equal what was sent: rows field by field, dead letters byte for byte."""
    found = []
    for row in await connection.fetch("select * from trips where source_id is not null"):
        entry = sent.get((row["partition"], row["record_offset"]))
        if entry and not (isinstance(entry.event, TripStarted) and _same_start(entry.event, row)):
            found.append(f"different: trip {row['trip_id']} is not what was sent")
    for row in await connection.fetch("select * from completions where source_id is not null"):
        entry = sent.get((row["partition"], row["record_offset"]))
        if entry and not (isinstance(entry.event, TripCompleted) and _same_end(entry.event, row)):
            found.append(f"different: completion {row['trip_id']} is not what was sent")
    for row in await connection.fetch("select partition, record_offset, key, value from dead_letters"):
        entry = sent.get((row["partition"], row["record_offset"]))
        if entry and (row["key"], row["value"]) != (entry.key, entry.value):
            found.append(f"different: dead letter {row['partition']}/{row['record_offset']} is not what was sent")
    return found


def _same_start(event: TripStarted, row: Any) -> bool:
    return (event.trip_id, event.vendor_id, event.passenger_count, event.pickup_at.astimezone(UTC)) == (
        row["trip_id"],
        row["vendor_id"],
        row["passenger_count"],
        row["pickup_at"],
    ) and (event.pickup.latitude, event.pickup.longitude, event.dropoff.latitude, event.dropoff.longitude) == (
        row["pickup_latitude"],
        row["pickup_longitude"],
        row["dropoff_latitude"],
        row["dropoff_longitude"],
    )


def _same_end(event: TripCompleted, row: Any) -> bool:
    return (event.trip_id, event.pickup_at, event.dropoff_at) == (row["trip_id"], row["pickup_at"], row["dropoff_at"])


async def _unpredicted(connection: asyncpg.Connection) -> list[str]:
    rows = await connection.fetch(
        """select t.trip_id from trips t left join predictions p on p.trip_id = t.trip_id and p.role = 'champion'
        where t.source_id is not null and p.trip_id is null"""
    )
    return [f"unpredicted: trip {row['trip_id']} has no champion prediction" for row in rows]


async def _version_went_back(connection: asyncpg.Connection) -> list[str]:
    rollbacks = await connection.fetchval("select count(*) from lifecycle_events where kind = 'model.rolled_back'")
    backward = [row for row in await connection.fetch(VERSIONS) if row["before"] and row["model_version"] < row["before"]]
    if not backward or rollbacks:
        return []
    return [f"version went back at {row['partition']}/{row['record_offset']} without a rollback" for row in backward]


async def judge(path: Path, database: str) -> list[str]:
    """The verdict on a journal that was saved."""
    connection = await asyncpg.connect(database)
    try:
        return await violations(Journal.read(path), connection)
    finally:
        await connection.close()


def main() -> int:
    """Write each violation on a line of its own."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.checker", description=__doc__)
    parser.add_argument("journal", type=Path)
    parser.add_argument("database", help="postgresql:// address of a login that may read everything")
    arguments = parser.parse_args()
    found = asyncio.run(judge(arguments.journal, arguments.database))
    sys.stdout.writelines(f"{violation}\n" for violation in found or ["no violation"])
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
