"""The Monitor in real workers: one leads, whoever dies; no step is doubled or missing; sums are those of the rows."""

import json
import signal
from collections.abc import AsyncIterator
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from adapters.environment.settings import PostgresSettings
from adapters.kafka.broker import Broker
from adapters.kafka.topics import end_offsets
from adapters.postgres.api.quality import Quality
from adapters.postgres.connection.pool import open_pool
from adapters.postgres.loop.store import LoopStore
from domain.areas import AreaGrid
from domain.entities.cohorts import By, QualityReport
from domain.entities.streams import Span
from domain.entities.trips import TripColumns
from domain.features import CityClock
from domain.loop.steps import Step
from domain.loop.tracker import ReportedSpan, Tracker
from domain.policy import Timing
from schemas.events import TripCompleted, TripStarted
from stream.span_tallies import SpanRows, newest_event_us, tally_of_spans
from tests.running import Worker, World, events_of, until, world_of
from tests.tallied import at
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
READ = "select extract(epoch from event_at)::bigint / 60 from drift_signals where signal = 'log_ratio' order by 1"
PLACES = """
select extract(epoch from minute)::bigint / 60, place::text, area, trips, predicted_ds from area_minutes
"""
SCORED = """
select floor(extract(epoch from pickup_at) / 60)::bigint as minute, duration_seconds, pickup_latitude, pickup_longitude,
    dropoff_latitude, dropoff_longitude
from trips join predictions using (trip_id, pickup_at) where role = 'champion'
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


def in_order(trips: TripColumns, minutes: list[float] | None = None) -> list[TripStarted | TripCompleted]:
    """Starts and completions as they happen."""
    started, completed = events_of(trips)
    if minutes:
        completed = [
            msgspec.structs.replace(event, dropoff_at=event.pickup_at + timedelta(seconds=round(60 * lasted)))
            for event, lasted in zip(completed, minutes, strict=True)
        ]
    both: list[tuple[object, TripStarted | TripCompleted]] = [(event.pickup_at, event) for event in started]
    both += [(event.dropoff_at, event) for event in completed]
    return [event for _, event in sorted(both, key=lambda pair: pair[0])]  # type: ignore[arg-type,return-value]


async def taken_in(world: World, deadline: float = 60.0) -> None:
    """Return when every event is taken in by whoever leads, every step is closed that can be, and the loop knows who serves."""
    ends = await end_offsets(Broker(world.kafka), f"{world.prefix}trip-events")

    async def done() -> bool:
        rows = await world.rows(
            "select partition, next_offset from monitor_positions where source_id = (select max(source_id) from stream_offsets)"
        )
        newest = await world.rows("select extract(epoch from max(pickup_at)) / 60 from trips")
        closed = await world.rows("select extract(epoch from max(closed_until)) / 60 from open_tallies")
        facts = await world.rows(
            "select (select count(*) from loop_journal where kind = 'fact') = (select count(distinct role) from predictions)"
        )
        if {row[0]: row[1] for row in rows} != ends or not facts[0][0]:
            return False
        return newest[0][0] is None or (closed[0][0] is not None and closed[0][0] + 10 > int(newest[0][0]))

    await until(done, deadline)


async def same_sums(world: World) -> None:
    """The roll-ups are the sums over the rows, made by plain SQL."""
    by_hand, rolled_up = [[tuple(row) for row in await world.rows(query)] for query in (BY_HAND, ROLLED_UP)]
    assert rolled_up == by_hand
    assert by_hand
    assert {tuple(row) for row in await world.rows(PLACES)} == await places_by_hand(world)


async def places_by_hand(world: World) -> set[tuple[int, str, int, int, int]]:
    """Trips and what was predicted of them by minute, end and cell, counted one by one."""
    sums: dict[tuple[int, str, int], list[int]] = {}
    rows = await world.rows(SCORED)
    for end in ("pickup", "dropoff"):
        places = (np.array([row[f"{end}_{axis}"] for row in rows]) for axis in ("latitude", "longitude"))
        for row, area in zip(rows, AreaGrid().of(*places).tolist(), strict=True):
            mine = sums.setdefault((row["minute"], end, area), [0, 0])
            mine[0] += 1
            mine[1] += round(row["duration_seconds"] * 10)
    return {(*name, trips, predicted) for name, (trips, predicted) in sums.items()}


async def journal(world: World) -> list[tuple[int, str, dict[str, Any]]]:
    return [
        (row[0], row[1], json.loads(row[2]))
        for row in await world.rows("select seq, kind, body from loop_journal order by seq")
    ]


async def sound(world: World) -> None:
    """The journal has no hole, facts were learnt once, and its steps are those that the rows give in one piece."""
    entries = await journal(world)
    assert [seq for seq, _, _ in entries] == list(range(1, len(entries) + 1))
    minutes = [body["minute"] for _, kind, body in entries if kind == "step"]
    assert minutes == list(range(minutes[0], minutes[-1] + 1, 5))
    assert [body["fact"] for _, kind, body in entries if kind == "fact"] == ["champion", "challenger"]
    for found, step in zip([body for _, kind, body in entries if kind == "step"], await from_rows(world), strict=True):
        for name, expected in step.as_dict().items():
            assert (step.minute, name, found[name]) == (step.minute, name, expected)
    seen = await world.rows(READ)
    assert [row[0] for row in seen] == minutes


async def from_rows(world: World) -> list[Step]:
    """The steps of all rows, taken in at once."""
    pool, tracker = await open_pool(PostgresSettings(database=world.database)), Tracker(Timing())
    try:
        store = LoopStore(pool, AreaGrid(), Timing().maturity_minutes)
        for partition, end in (await store.committed(1)).items():
            rows = await store.stretch(1, partition, (0, end))
            columns = SpanRows(*(getattr(rows, field.name) for field in fields(SpanRows)))
            span = Span(partition, 0, end)
            told = ReportedSpan(partition, 0, end, newest_event_us(columns, span), caught_up=True)
            tracker.add([told], tally_of_spans(columns, {}))
        return tracker.closable()
    finally:
        await pool.close()


async def test_what_a_worker_commits_becomes_sums_and_steps(world: World) -> None:
    with world.worker(TEST_SHADOW="2") as worker:
        await world.publish(in_order(random_trips(2000, days=1)))
        await world.drained()
        await taken_in(world)
        assert worker.metric("tripcast_monitor_leader") == 1
        assert worker.metric("tripcast_monitor_errors_total") == 0
        assert worker.metric("tripcast_drift_state") == 1
    await same_sums(world)
    await sound(world)


async def test_steps_after_a_move_to_another_worker_are_those_of_one_run(world: World) -> None:
    events = in_order(random_trips(1500, days=1))
    half = len(events) // 2
    first = world.start_worker(TEST_SHADOW="2")
    await world.publish(events[:half])
    await world.drained()
    await taken_in(world)
    first.signal(signal.SIGTERM)
    assert await first.ended() == 0
    await world.publish(events[half:])
    with world.worker(TEST_SHADOW="2") as second:
        await world.drained()
        await taken_in(world)
        assert second.metric("tripcast_monitor_errors_total") == 0
    await same_sums(world)
    await sound(world)


async def test_when_the_leader_is_killed_another_goes_on_and_no_step_is_doubled_or_missing(world: World) -> None:
    events = in_order(random_trips(3000, days=1))
    workers = [world.start_worker(TEST_SHADOW="2") for _ in range(2)]

    async def somebody_leads() -> bool:
        return sum(worker.process.poll() is None and worker.metric("tripcast_monitor_leader") == 1 for worker in workers) == 1

    await until(lambda: _ready(workers))
    await until(somebody_leads)
    await world.publish(events[:2000])

    async def in_the_middle() -> bool:
        return await world.count("loop_journal") > 2

    await until(in_the_middle)
    leader = next(worker for worker in workers if worker.metric("tripcast_monitor_leader") == 1)
    leader.signal(signal.SIGKILL)
    await leader.ended()
    workers.remove(leader)
    await world.publish(events[2000:])
    await until(somebody_leads)
    await world.drained()
    await taken_in(world)
    await same_sums(world)
    await sound(world)


async def test_signals_that_nobody_received_are_counted_from_rows(world: World) -> None:
    await world.publish(in_order(random_trips(1000, days=1)))
    with world.worker(TEST_SHADOW="2", TEST_SIGNALS="lost") as worker:
        await world.drained()
        await taken_in(world)
        assert worker.metric("tripcast_monitor_recounted_events_total") == 2000
    await same_sums(world)
    await sound(world)


async def test_a_mature_figure_is_that_of_a_fully_labelled_replay_and_an_immature_one_is_not(world: World) -> None:
    """Some trips are short and some long, so that those that have ended so far are not like all."""
    trips = random_trips(6000, days=1)
    minutes = np.random.default_rng(1).lognormal(np.log(13), 0.6, len(trips))
    events = in_order(trips, minutes.tolist())
    now = np.datetime64("2016-01-01T18:00", "us")
    so_far = [event for event in events if _happened(event) <= now]
    with world.worker(TEST_SHADOW="2"):
        await world.publish(so_far)
        await world.drained()
        await taken_in(world)
        before = await _quality(world)
        assert before.mature_until is not None
        await world.publish(events[len(so_far) :])
        await world.drained()
        await taken_in(world)
        truth = await _quality(world, until=before.mature_until)
    [mature], [immature], [true] = before.mature, before.immature, [*truth.mature]
    assert true.coverage == 1
    assert truth.immature == ()
    assert mature.coverage > 0.99
    for name in ("mae_minutes", "rmse_minutes"):
        assert getattr(mature, name) == pytest.approx(getattr(true, name), rel=0.03)
    assert mature.started == true.started
    assert immature.coverage < 0.97
    await same_sums(world)


async def test_a_trip_whose_end_does_not_come_expires_and_settles_when_it_comes_after_all(world: World) -> None:
    trips = at(random_trips(30), "2016-01-01T00:00:00", 3600)
    events = in_order(trips)
    late = next(event for event in events if isinstance(event, TripCompleted) and event.trip_id == trips.trip_id[2])
    events.remove(late)
    with world.worker() as worker:
        await world.publish(events)
        await world.drained()
        await taken_in(world)

        async def expired() -> bool:
            return worker.metric("tripcast_trips_expired_total") == 1

        await until(expired)
        assert [row[0] for row in await world.rows("select trip_id from expirations")] == [late.trip_id]
        before = (await _quality(world)).counts
        assert (before.started, before.settled, before.pending, before.expired, before.late) == (30, 29, 0, 1, 0)
        await world.publish([late])
        await world.drained()
        await taken_in(world)
        assert worker.metric("tripcast_trips_settled_total") == 30
    after = (await _quality(world)).counts
    assert (after.started, after.settled, after.pending, after.expired, after.late) == (30, 30, 0, 1, 1)
    await same_sums(world)


async def _ready(workers: list[Worker]) -> bool:
    return all(worker.health("readyz")[0] == 200 for worker in workers)


async def _quality(world: World, until: datetime | None = None) -> QualityReport:
    pool = await open_pool(PostgresSettings(database=world.database))
    try:
        return await Quality(pool, CityClock(), AreaGrid())(By.CITY, until=until)
    finally:
        await pool.close()


def _happened(event: TripStarted | TripCompleted) -> np.datetime64:
    at = event.pickup_at if isinstance(event, TripStarted) else event.dropoff_at
    return np.datetime64(at.astimezone(UTC).replace(tzinfo=None), "us")
