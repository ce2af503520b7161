"""The Monitor in real workers: one leads, whoever dies; no step is doubled or missing; sums are those of the rows."""

import json
import signal
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from adapters.kafka.topics import end_offsets
from domain.entities.trips import TripColumns
from schemas.events import TripCompleted, TripStarted
from tests.running import World, Worker, events_of, until, world_of
from tests.trips import random_trips

BY_HAND = """
with scored as (
    select date_trunc('minute', t.pickup_at) as minute, p.role, p.model_version, t.vendor_id,
        round(((p.duration_seconds::float8) - extract(epoch from c.dropoff_at - c.pickup_at)) * 10) as error,
        extract(epoch from c.dropoff_at - c.pickup_at) between p.lower_seconds::float8 and p.upper_seconds::float8 as covered
    from trips as t join predictions as p using (trip_id) left join completions as c using (trip_id)
)
select minute, role::text, model_version, vendor_id, count(*)::bigint as started, count(error)::bigint as settled,
    coalesce(sum(error), 0)::bigint as error, coalesce(sum(abs(error)), 0)::bigint as abs_error,
    coalesce(sum(error * error), 0)::bigint as square_error, (count(*) filter (where covered))::bigint as covered
from scored group by 1, 2, 3, 4 order by 1, 2, 3, 4
"""
ROLLED_UP = """
select minute, role::text, model_version, vendor_id, sum(started)::bigint, sum(settled)::bigint, sum(error_ds)::bigint,
    sum(abs_error_ds)::bigint, sum(square_error_ds2)::bigint, sum(covered)::bigint
from quality_minutes group by 1, 2, 3, 4 order by 1, 2, 3, 4
"""


@pytest.fixture
async def world(kafka_address: str, database: str, topic_prefix: str, tmp_path: Path) -> AsyncIterator[World]:
    async with world_of(kafka_address, database, topic_prefix, tmp_path) as world:
        yield world


def in_order(trips: TripColumns, minutes: int = 10) -> list[TripStarted | TripCompleted]:
    """Starts and completions as they happen."""
    started, completed = events_of(trips, minutes=minutes)
    both: list[tuple[object, TripStarted | TripCompleted]] = [(event.pickup_at, event) for event in started]
    both += [(event.dropoff_at, event) for event in completed]
    return [event for _, event in sorted(both, key=lambda pair: pair[0])]  # type: ignore[arg-type,return-value]


async def taken_in(world: World, deadline: float = 60.0) -> None:
    """Return when every event is taken in by whoever leads, and every step is closed that can be."""
    ends = await end_offsets(world.kafka, f"{world.prefix}trip-events")

    async def done() -> bool:
        rows = await world.rows(
            "select partition, next_offset from monitor_positions where source_id = (select max(source_id) from stream_offsets)"
        )
        newest = await world.rows("select extract(epoch from max(pickup_at)) / 60 from trips")
        closed = await world.rows("select extract(epoch from max(closed_until)) / 60 from open_tallies")
        if {row[0]: row[1] for row in rows} != {number: end for number, end in ends.items()}:
            return False
        return newest[0][0] is None or (closed[0][0] is not None and closed[0][0] + 10 > int(newest[0][0]))

    await until(done, deadline)


async def same_sums(world: World) -> None:
    """The roll-ups are the sums over the rows, made by plain SQL."""
    by_hand, rolled_up = [[tuple(row) for row in await world.rows(query)] for query in (BY_HAND, ROLLED_UP)]
    assert rolled_up == by_hand
    assert by_hand


async def journal(world: World) -> list[tuple[int, str, object]]:
    return [
        (row[0], row[1], json.loads(row[2]))
        for row in await world.rows("select seq, kind, body from loop_journal order by seq")
    ]


async def test_what_a_worker_commits_becomes_sums_and_steps(world: World) -> None:
    trips = random_trips(2000, days=1)
    with world.worker(TEST_SHADOW="2") as worker:
        await world.publish(in_order(trips))
        await world.drained()
        await taken_in(world)
        assert worker.metric("tripcast_monitor_leader") == 1
        assert worker.metric("tripcast_monitor_errors_total") == 0
    await same_sums(world)
    entries = await journal(world)
    assert [seq for seq, _, _ in entries] == list(range(1, len(entries) + 1))
    minutes = [body["minute"] for _, kind, body in entries if kind == "step"]  # type: ignore[index]
    assert minutes == list(range(minutes[0], minutes[-1] + 1, 5))
    assert [body["fact"] for _, kind, body in entries if kind == "fact"] == ["champion", "challenger"]  # type: ignore[index]
