"""A bad event stops nobody: it is quarantined byte for byte, and its neighbours are scored."""

from pathlib import Path

import msgspec
import pytest

from domain.entities.rejections import Reason
from schemas.headers import DETAIL, ORIGIN, REASON
from tests.running import World, events_of, world_of
from tests.trips import random_trips

HEADERS = (("trace", b"\x00\xff"), ("trace", b"again"), ("none", None))


@pytest.fixture
async def world(kafka_address: str, database: str, topic_prefix: str, tmp_path: Path):
    async with world_of(kafka_address, database, topic_prefix, tmp_path) as world:
        yield world


async def test_ten_kinds_of_poison_are_quarantined_byte_for_byte_and_their_neighbours_scored(world: World) -> None:
    trips, _ = events_of(random_trips(22))
    good = msgspec.json.encode(trips[0])
    poison = {
        Reason.TOO_LARGE: (b"big", b"x" * 5_000_000),
        Reason.NULL_VALUE: (b"null", None),
        Reason.NULL_KEY: (None, good),
        Reason.KEY_MISMATCH: (b"other", good),
        Reason.INVALID_UTF8: (b"t", b'{"type":"\xff"}'),
        Reason.INVALID_JSON: (b"nested", b"[" * 60_000),
        Reason.UNKNOWN_TYPE: (b"t", b'{"type":"trip.cancelled.v1"}'),
        Reason.UNKNOWN_VERSION: (b"t", b'{"type":"trip.started.v9"}'),
        Reason.INVALID_SCHEMA: (b"t", good.replace(b'"vendor_id":', b'"vendor_id":1e400,"x":')),
        Reason.TRIP_ID_INVALID: (b"\x00", good.replace(trips[0].trip_id.encode(), b"\\u0000")),
        Reason.OUTSIDE_SERVICE_AREA: (
            b"t",
            good.replace(trips[0].trip_id.encode(), b"t").replace(b'"longitude":-', b'"longitude":'),
        ),
    }
    for number, (key, value) in enumerate(poison.values()):
        await world.send(trips[2 * number].trip_id.encode(), msgspec.json.encode(trips[2 * number]))
        await world.send(key, value, headers=HEADERS)
        await world.send(trips[2 * number + 1].trip_id.encode(), msgspec.json.encode(trips[2 * number + 1]))
    with world.worker() as worker:
        await world.drained()
        assert worker.metric("tripcast_trips_scored_total") == len(trips)
        for reason in poison:
            assert worker.metric("tripcast_events_quarantined_total", reason=reason.value) == 1
    letters = {row["reason"]: row for row in await world.rows("select * from dead_letters")}
    records = {dict(record.headers)[REASON].decode(): record for record in await world.published("trip-quarantine")}
    for reason, (key, value) in poison.items():
        letter, record = letters[reason.value], records[reason.value]
        assert (letter["key"], letter["value"], record.key, record.value) == (key, value, key, value)
        assert tuple(zip(letter["header_names"], letter["header_values"], strict=True)) == HEADERS == record.headers[:3]
        origin = f"{world.prefix}trip-events/{letter['partition']}/{letter['record_offset']}"
        assert (dict(record.headers)[ORIGIN], dict(record.headers)[DETAIL]) == (origin.encode(), letter["detail"].encode())
    assert await world.unaccounted() == []


async def test_logs_name_refused_events_by_place_and_never_show_their_contents(world: World) -> None:
    await world.send(b"secret-key", b"secret-value", headers=(("secret-header", b"secret"),))
    with world.worker() as worker:
        await world.drained()
        [event] = worker.events("quarantined")
        assert (event["partition"], event["offset"], event["reason"]) == (0, 0, "invalid_json")
    assert "secret" not in worker.log.read_text()


async def test_an_event_that_kills_the_process_is_refused_after_three_deaths_on_it_alone(world: World) -> None:
    trips, _ = events_of(random_trips(3000))
    killer = trips[1700].trip_id
    for trip in trips[1690:1710]:
        await world.send(trip.trip_id.encode(), msgspec.json.encode(trip), partition=0)
    deaths = 0
    while True:
        worker = world.start_worker(TEST_KILLER=killer)
        if await _died(worker, world):
            deaths += 1
            continue
        break
    assert deaths == 1 + 3  # with the first batch in hand, then three times alone
    [letter] = await world.rows("select * from dead_letters")
    assert (letter["reason"], letter["key"]) == ("kills_the_worker", killer.encode())
    assert [record.key for record in await world.published("trip-quarantine")] == [killer.encode()]
    assert await world.count("trips") == 19
    assert await world.unaccounted() == []


async def test_a_killer_far_inside_a_large_backlog_is_found_and_nobody_else_is_blamed(world: World) -> None:
    trips, _ = events_of(random_trips(6000))
    killer = trips[4000].trip_id
    await world.publish(trips)
    deaths = 0
    while await _died(world.start_worker(TEST_KILLER=killer), world):
        deaths += 1
    assert deaths <= 12
    assert [row["key"] for row in await world.rows("select key from dead_letters")] == [killer.encode()]
    assert await world.count("trips") == 5999
    assert await world.unaccounted() == []


async def _died(worker, world: World) -> bool:
    """Whether the worker dies before the topic is drained."""
    import asyncio

    ended, drained = asyncio.create_task(worker.ended()), asyncio.create_task(world.drained())
    done, _ = await asyncio.wait({ended, drained}, return_when=asyncio.FIRST_COMPLETED)
    for task in {ended, drained} - done:
        task.cancel()
    return ended in done
