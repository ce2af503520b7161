"""What a real broker takes from a hostile or merely different producer stops no partition: of batches, headers and messages."""

from pathlib import Path

import msgspec
import pytest

from domain.entities.rejections import Reason
from schemas.topics import MAX_RECORD_BYTES
from tests.kafka_batches import ILL_LOOKS, STAND_IN, batch, send
from tests.running import World, events_of, world_of
from tests.trips import random_trips

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
ILL = [(STAND_IN.decode(), b"\x00\xff")]
DEEP = b'{"type":"lifecycle.v1","kind":' + b"[" * 50_000 + b"]" * 50_000 + b"}"


@pytest.fixture
async def world(kafka_address: str, database: str, topic_prefix: str, tmp_path: Path):
    async with world_of(kafka_address, database, topic_prefix, tmp_path) as world:
        yield world


async def test_ill_named_headers_codecs_and_batches_without_end_stop_no_partition(world: World) -> None:
    trips, _ = events_of(random_trips(8))
    rows = [(trip.trip_id.encode(), msgspec.json.encode(trip)) for trip in trips]
    events = f"{world.prefix}trip-events"
    for codec, first in zip((0, GZIP, SNAPPY, LZ4, ZSTD), rows, strict=False):
        await send(world.kafka, events, 0, batch([(*first, ILL)], codec))
        await send(world.kafka, events, 0, batch([(b"k", b"{", ILL)], codec))
    for codec in (GZIP, SNAPPY, LZ4, ZSTD):
        await send(world.kafka, events, 0, batch([(b"k", b"\x00" * MAX_RECORD_BYTES, ())] * 5, codec))
    await send(world.kafka, events, 0, batch([(b"k", b"\x00" * (2 * MAX_RECORD_BYTES), ()), (*rows[5], ())], ZSTD))
    await send(world.kafka, events, 0, batch([(*rows[6], ())]))
    for topic in ("model-lifecycle", "quality-signals"):
        for row in ((b"k", b"{}", ILL), (b"k", None, ()), (b"k", DEEP, ())):
            await send(world.kafka, f"{world.prefix}{topic}", 0, batch([row]))
    await world.send(*rows[7])
    with world.worker() as worker:
        await world.drained()
        assert worker.health("readyz")[0] == 200
    assert await world.count("trips") == len(trips)
    letters = await world.rows("select * from dead_letters")
    assert [(row["reason"], row["header_names"]) for row in letters] == [
        (Reason.INVALID_JSON, [ILL_LOOKS.replace("\x00", "\ufffd")])
    ] * 5
    records = await world.published("trip-quarantine")
    assert [record.headers[0] for record in records] == [(ILL_LOOKS, b"\x00\xff")] * 5
    assert len(worker.events("batch_too_large")) >= 4
    assert len(worker.events("record_too_large")) >= 1
    skipped = await world.rows("select sum(last_offset - first_offset + 1) from skipped_records where reason = 'no_record'")
    assert skipped[0][0] == 4 * 5 + 1
    assert await world.unaccounted() == []
