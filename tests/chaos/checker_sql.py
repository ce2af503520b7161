"""The questions of `checker.py` asked in SQL, for journals of millions of events: nothing is held in memory here.

The journal is a file that COPY reads: a line an event, of partition, offset, key and value. `test_checker.py` has both judges
on every planted bug, and they must find the same.
"""

from pathlib import Path

import asyncpg

from schemas.events import TripCompleted, TripStarted
from tests.chaos.checker import PLACES
from tests.chaos.journal import Journal

JOURNAL = """
create schema if not exists judged;
drop table if exists judged.journal, judged.places;
create unlogged table judged.journal (partition integer, record_offset bigint, key text, value text);
"""
GATHER = f"""
create unlogged table judged.places as {PLACES};
create index on judged.places (partition, record_offset);
create index on judged.journal (partition, record_offset);
analyze judged.places;
analyze judged.journal;
"""
KEYED = "using (partition, record_offset)"
EVENT = "case when j.value is json object then j.value::jsonb end as e"
LOST = f"""
select 'lost: ' || partition || '/' || record_offset from judged.journal left join judged.places p {KEYED} where p.place is null
"""
TWICE = """
select 'twice: ' || partition || '/' || record_offset from judged.places group by partition, record_offset having count(*) > 1
"""
NEVER_SENT = f"""
select 'never sent: ' || partition || '/' || record_offset
from judged.places left join judged.journal j {KEYED} where j.value is null
"""
GAPS = """
select 'gap: partition ' || partition || ' accounts for ' || counted || ' of ' || expected from (
    select o.partition, o.next_offset - o.start_offset as expected, count(distinct p.record_offset) as counted
    from stream_offsets o left join judged.places p on p.partition = o.partition
    group by o.partition, o.next_offset, o.start_offset
) g where counted <> expected
"""
TRIPS_DIFFER = f"""
select 'different: trip ' || t.trip_id from trips t join judged.journal j {KEYED}, lateral (select {EVENT}) x
where t.source_id is not null and (
    e->>'type', e->>'trip_id', (e->>'vendor_id')::integer, (e->>'passenger_count')::integer, (e->>'pickup_at')::timestamptz,
    (e->'pickup'->>'latitude')::float8, (e->'pickup'->>'longitude')::float8,
    (e->'dropoff'->>'latitude')::float8, (e->'dropoff'->>'longitude')::float8
) is distinct from (
    'trip.started.v1', t.trip_id, t.vendor_id::integer, t.passenger_count::integer, t.pickup_at,
    t.pickup_latitude, t.pickup_longitude, t.dropoff_latitude, t.dropoff_longitude
)
"""
ENDS_DIFFER = f"""
select 'different: completion ' || c.trip_id from completions c join judged.journal j {KEYED}, lateral (select {EVENT}) x
where c.source_id is not null and (e->>'type', e->>'trip_id', (e->>'pickup_at')::timestamptz, (e->>'dropoff_at')::timestamptz)
    is distinct from ('trip.completed.v1', c.trip_id, c.pickup_at, c.dropoff_at)
"""
LETTERS_DIFFER = f"""
select 'different: dead letter ' || partition || '/' || record_offset from dead_letters d join judged.journal j {KEYED}
where d.value is distinct from convert_to(j.value, 'UTF8') or d.key is distinct from convert_to(j.key, 'UTF8')
"""
UNPREDICTED = """
select 'unpredicted: trip ' || t.trip_id from trips t left join predictions p on p.trip_id = t.trip_id and p.role = 'champion'
where t.source_id is not null and p.trip_id is null
"""
WENT_BACK = """
select 'version went back at ' || partition || '/' || record_offset from (
    select partition, record_offset, model_version as now,
        lag(model_version) over (partition by source_id, partition order by record_offset) as before
    from predictions where role = 'champion'
) v where now < before and not exists (select from lifecycle_events where kind = 'model.rolled_back')
"""
ALWAYS = (LOST, TWICE, GAPS, TRIPS_DIFFER, ENDS_DIFFER, LETTERS_DIFFER, UNPREDICTED, WENT_BACK)
NAMED = 20  # of each kind
assert TripStarted.__struct_config__.tag == "trip.started.v1"  # the texts above name them
assert TripCompleted.__struct_config__.tag == "trip.completed.v1"


async def violations_in_sql(journal: Path, connection: asyncpg.Connection, *, unknown: int = 0) -> dict[str, int]:
    """How many of each kind of violation, by its first words; some are named. `unknown`: events sent without an answer.

    Writes into a schema of its own, `judged`.
    """
    await connection.execute(JOURNAL)
    await connection.copy_to_table("journal", schema_name="judged", source=journal, timeout=3600)
    await connection.execute(GATHER, timeout=3600)
    found: dict[str, int] = {}
    for query in ALWAYS if unknown else (*ALWAYS, NEVER_SENT):
        count = await connection.fetchval(f"select count(*) from ({query}) as found", timeout=3600)
        if count:
            rows = await connection.fetch(f"{query} limit {NAMED}", timeout=3600)
            found[rows[0][0]] = count
    return found


def line_of(partition: int, offset: int, key: str, value: str) -> str:
    """A line of the file."""
    return f"{partition}\t{offset}\t{_escaped(key)}\t{_escaped(value)}\n"


def write(journal: Journal, path: Path) -> None:
    """A small journal as such a file."""
    with path.open("w") as file:
        for entry in journal.sent:
            file.write(line_of(entry.partition, entry.offset, (entry.key or b"").decode(), (entry.value or b"").decode()))


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\t", "\\t").replace("\n", "\\n").replace("\r", "\\r")
