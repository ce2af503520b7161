"""Whatever the stream brings, PostgreSQL decides as the fake does, one event after the other, and every offset adds up."""

import asyncio
import uuid
from collections.abc import Coroutine, Sequence
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.environment.settings import PostgresSettings
from adapters.postgres.admin.audit import audit
from adapters.postgres.connection.pool import Pool, open_pool
from adapters.postgres.stream.store import Streams
from domain.entities.streams import BatchReceipt, StreamSource
from domain.ports import StreamStore
from tests.batches import End, Event, Nothing, Poison, Refusals, Start, batch_of
from tests.fakes.streams import InMemoryStreams
from tests.stored import stored_in_fake, stored_in_postgres

EMPTY = """
truncate trips, completions, predictions, dead_letters, skipped_records, stream_suspects, stream_offsets, event_sources cascade
"""
RESET = "update stream_offsets set next_offset = start_offset, published_offset = start_offset"
SOURCE = StreamSource("cluster", "trip-events", uuid.uuid4())

trip_ids = st.sampled_from(["a", "b", "cc", "ddd"])
partitions = st.integers(0, 1)
traces = st.sampled_from([None, None, "00-" + "a" * 32 + "-" + "b" * 16 + "-01", "cc-" + "1" * 32 + "-" + "2" * 16 + "-00"])
starts = st.builds(
    Start, trip_ids, st.integers(0, 1), st.integers(1, 2), partitions, traces, st.sampled_from([None, 0, 1_456_851_601_234])
)
ends = st.builds(End, trip_ids, st.integers(0, 1), st.integers(10, 11), partitions)
events = st.one_of(starts, ends, st.builds(Poison, partitions), st.builds(Nothing, partitions))
batches = st.lists(st.lists(events, min_size=1, max_size=8), min_size=1, max_size=5)


@given(written=batches, cuts=st.lists(st.integers(1, 6), min_size=1, max_size=4))
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_postgres_decides_as_the_fake_does_and_adds_up(database: str, written: list[list[Event]], cuts: list[int]) -> None:
    async def compare(pool: Pool) -> None:
        fake, real = InMemoryStreams(), Streams(pool)
        for batch in written:
            expected, found = await _write(fake, batch), await _write(real, batch)
            assert found == expected
        assert await stored_in_postgres(pool) == await stored_in_fake(fake)
        assert [partition.faults() for partition in (await audit(pool)).partitions] == [[]] * len(_partitions(written))
        await _read_everything_again(pool, real, written, cuts)

    _run(database, compare)


async def _read_everything_again(pool: Pool, real: Streams, written: list[list[Event]], cuts: list[int]) -> None:
    """Positions are reset by hand and the topic is read again, cut into other batches: nothing changes, all adds up."""
    before = await stored_in_postgres(pool)
    await pool.execute(RESET)
    rest = [event for batch in written for event in batch]
    while rest:
        size = cuts[len(rest) % len(cuts)]
        stored, settled, _, letters = await _write(real, rest[:size])
        assert (any(stored), settled, letters) == (False, 0, 0)
        rest = rest[size:]
    assert await stored_in_postgres(pool) == before
    assert (await audit(pool)).ok


async def _write(store: StreamStore, batch: Sequence[Event]) -> tuple[list[bool], int, int, int]:
    source_id = await store.register(SOURCE)
    firsts = {}
    for partition in _partitions([batch]):
        firsts[partition] = (await store.open_partition(source_id, partition, 0)).next_offset
    receipt: BatchReceipt = await store.write(source_id, batch_of(batch, firsts), Refusals())
    return receipt.stored.tolist(), receipt.settled, receipt.repeats, receipt.dead_letters


def _partitions(batches: Sequence[Sequence[Event]]) -> list[int]:
    return sorted({event.partition for batch in batches for event in batch})


def _run(database: str, check: Any) -> None:
    async def run() -> None:
        pool = await open_pool(PostgresSettings(database=database))
        try:
            await pool.execute(EMPTY)
            await check(pool)
        finally:
            await pool.close()

    coroutine: Coroutine[Any, Any, None] = run()
    asyncio.run(coroutine)
