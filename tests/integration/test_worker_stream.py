"""The worker against a real broker and a real database: what goes in comes out once, scored, and in order."""

import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cli.sources.traces import new_traceparent
from schemas.events import TripPredicted
from schemas.headers import TRACEPARENT
from stream.traceparent import trace_id
from tests.collector import collecting, plain
from tests.running import World, events_of, until, world_of
from tests.trips import random_trips


@pytest.fixture
async def world(kafka_address: str, database: str, topic_prefix: str, tmp_path: Path) -> AsyncIterator[World]:
    async with world_of(kafka_address, database, topic_prefix, tmp_path) as world:
        yield world


async def test_started_trips_are_scored_stored_settled_and_published(world: World) -> None:
    started, completed = events_of(random_trips(500))
    await world.publish([*started, *completed])
    with world.worker() as worker:
        await world.drained()
        assert worker.metric("tripcast_trips_scored_total") == 500
        assert worker.metric("tripcast_trips_settled_total") == 500
        assert worker.metric("tripcast_event_to_row_seconds_count") == 1000
        assert worker.health("livez")[0] == 200
        assert worker.health("readyz") == (200, {"ready": True, "missing": {}})
    rows = {row["trip_id"]: row for row in await world.rows("select * from predictions")}
    predicted = [(record, msgspec.json.decode(record.value, type=TripPredicted)) for record in await world.published()]
    assert {event.trip_id for _, event in predicted} == set(rows) == {event.trip_id for event in started}
    for record, event in predicted:
        row = rows[event.trip_id]
        assert record.key == event.trip_id.encode()
        assert event.duration_seconds == row["duration_seconds"]
        assert (event.partition, event.offset, event.scored_at) == (row["partition"], row["record_offset"], row["scored_at"])
    assert await world.unaccounted() == []


async def test_a_completion_may_come_before_its_start(world: World) -> None:
    started, completed = events_of(random_trips(50))
    await world.publish([*completed, *started])
    with world.worker() as worker:
        await world.drained()
        assert worker.metric("tripcast_trips_settled_total") == 50


async def test_a_repeated_event_is_counted_and_changes_nothing(world: World) -> None:
    started, completed = events_of(random_trips(40))
    await world.publish([*started, *completed, *started, *completed])
    with world.worker() as worker:
        await world.drained()
        assert worker.metric("tripcast_events_repeated_total") == 80
        assert worker.metric("tripcast_events_quarantined_total") == 0
    assert (await world.count("trips"), await world.count("completions"), await world.count("predictions")) == (40, 40, 40)
    assert len(await world.published()) == 40
    assert await world.unaccounted() == []


async def test_a_contradicting_event_is_quarantined_with_its_bytes(world: World) -> None:
    [event], _ = events_of(random_trips(1))
    other = msgspec.structs.replace(event, passenger_count=event.passenger_count + 1)
    await world.publish([event])
    await world.publish([other])
    with world.worker() as worker:
        await world.drained()
        assert worker.metric("tripcast_events_quarantined_total", reason="contradicts_stored") == 1
    [letter] = await world.rows("select * from dead_letters")
    [record] = await world.published("trip-quarantine")
    assert letter["value"] == record.value == msgspec.json.encode(other)
    assert await world.unaccounted() == []


async def test_the_same_events_after_the_offsets_were_reset_change_nothing(world: World) -> None:
    started, completed = events_of(random_trips(200))
    await world.publish([*started, *completed])
    await world.send(b"x", b"rubbish")
    with world.worker():
        await world.drained()
    before = await world.rows("select * from trips order by trip_id"), await world.rows("select * from predictions order by 1")
    await world.rows("update stream_offsets set next_offset = start_offset, published_offset = start_offset")
    with world.worker():
        await world.drained()
    after = await world.rows("select * from trips order by trip_id"), await world.rows("select * from predictions order by 1")
    assert after == before
    assert await world.count("dead_letters") == 1
    assert await world.unaccounted() == []


async def test_sigterm_ends_the_worker_with_zero_and_the_next_goes_on(world: World) -> None:
    started, completed = events_of(random_trips(20_000))
    await world.publish([*started, *completed])
    worker = world.start_worker()

    async def has_begun() -> bool:
        return await world.count("trips") > 0

    await until(has_begun)
    worker.signal(signal.SIGTERM)
    assert await worker.ended() == 0
    [drained] = worker.events("drained")
    stored = {str(row[0]): row[1] for row in await world.rows("select partition, next_offset from stream_offsets")}
    assert drained["next_offsets"] == stored
    marks = await world.rows("select kind, details from lifecycle_events where kind like 'worker.%' order by event_id")
    assert [row["kind"] for row in marks] == ["worker.started", "worker.rebalanced", "worker.stopped"]
    assert [json.loads(row["details"]).get("partitions") for row in marks[1:]] == [sorted(map(int, stored))] * 2
    with world.worker():
        await world.drained()
    assert await world.count("trips") == 20_000
    assert await world.unaccounted() == []


async def test_two_workers_share_the_partitions(world: World) -> None:
    started, completed = events_of(random_trips(3000))
    with world.worker() as first:
        await world.publish(started[:1000])
        await world.drained()
        with world.worker() as second:

            async def both_have_some() -> bool:
                shares = [worker.events("taken_over")[-1:] for worker in (first, second)]
                return all(share and share[0]["next_offsets"] for share in shares) and len(
                    {number for share in shares for number in share[0]["next_offsets"]}
                ) == sum(len(share[0]["next_offsets"]) for share in shares)

            await until(both_have_some)
            await world.publish(started[1000:])
            await world.publish(completed)
            await world.drained()

            async def second_works() -> bool:  # a slow machine may have moved the partitions once more meanwhile
                await world.publish(started[:30])
                await world.drained()
                return second.metric("tripcast_events_received_total") > 0

            await until(second_works)
        await world.publish(started[:10])  # repeats, to a worker that has all partitions again
        await world.drained()
    assert await world.count("trips") == 3000
    assert await world.unaccounted() == []


async def test_predictions_owed_by_a_dead_worker_are_published_with_the_same_bytes(world: World) -> None:
    started, _ = events_of(random_trips(300))
    beside: list[Any] = [((TRACEPARENT, new_traceparent().encode()),) if row % 3 == 0 else () for row in range(300)]
    await world.publish(started, beside)
    with world.worker():
        await world.drained()
    first = await world.published()
    assert sorted(record.headers for record in first) == sorted(map(tuple, beside))
    await world.rows("update stream_offsets set published_offset = start_offset")  # as after a death before the publishing
    with world.worker() as worker:
        await world.drained()
        assert worker.events("published_owed")
    again = [(record.key, record.value, record.headers) for record in (await world.published())]
    assert len(again) == 2 * len(first)
    assert sorted(again) == sorted(2 * [(record.key, record.value, record.headers) for record in first])


async def test_a_trace_leads_from_its_event_to_the_row_the_log_the_span_and_the_prediction(world: World) -> None:
    started, completed = events_of(random_trips(50))
    sampled, other = new_traceparent(), new_traceparent()[:-1] + "0"
    of_event: dict[int, Any] = {7: ((TRACEPARENT, sampled.encode()),), 8: ((TRACEPARENT, other.encode()),)}
    of_event[9] = ((TRACEPARENT, b"00-rubbish"), ("x", None))
    await world.publish(started, [of_event.get(row, ()) for row in range(50)])
    await world.publish(completed)
    refused = new_traceparent()
    await world.send(b"x", b"rubbish", headers=[(TRACEPARENT, refused.encode())])
    with collecting() as collector:
        with world.worker(TRIPCAST_OTLP=collector.address) as worker:
            await world.drained()
        outcomes = {span.trace_id.hex(): plain(span.attributes)["tripcast.outcome"] for span in collector.spans}
    assert outcomes == {trace_id(sampled): "stored", trace_id(refused): "invalid_json"}
    rows = {row["trip_id"]: row for row in await world.rows("select * from trips")}
    [traced, untold, *plain_rows] = [rows[event.trip_id] for event in (started[7], started[8], *started[:7], *started[9:])]
    assert (traced["traceparent"], untold["traceparent"]) == (sampled, other)
    assert {row["traceparent"] for row in plain_rows} == {None}
    assert all(abs((row["recorded_at"] - row["published_at"]).total_seconds()) < 600 for row in rows.values())
    [line] = worker.events("trip_scored")
    place = (traced["partition"], traced["record_offset"], 1)
    assert (line["trace_id"], line["partition"], line["offset"], line["version"]) == (trace_id(sampled), *place)
    [quarantined] = worker.events("quarantined")
    assert quarantined["trace_ids"] == [trace_id(refused)]
    headers = {record.key.decode(): record.headers for record in await world.published()}
    assert headers.pop(started[7].trip_id) == of_event[7]
    assert headers.pop(started[8].trip_id) == of_event[8]
    assert set(headers.values()) == {()}
