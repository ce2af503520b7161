"""The audit finds what is planted, and names it."""

import uuid
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from adapters.environment.settings import PostgresSettings
from adapters.postgres.admin.audit import audit
from adapters.postgres.connection.pool import Pool, open_pool
from adapters.postgres.stream.store import Streams
from domain.entities.audits import PartitionAudit
from domain.entities.rejections import SkipReason
from domain.entities.streams import Skipped, Span, StreamSource
from tests.batches import End, Event, Nothing, Poison, Refusals, Start, batch_of

EVENTS: list[Event] = [
    Start("a"),
    End("a"),
    Poison(),
    Start("b"),
    Nothing(),
    Start("a"),
    End("b"),
    Start("c"),
    End("c"),
    Poison(),
]


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    """Partition 0 holds the offsets 100 to 109, each once; partition 1 two rows."""
    pool = await open_pool(PostgresSettings(database=database))
    store = Streams(pool)
    source_id = await store.register(StreamSource("cluster", "trip-events", uuid.uuid4()))
    await store.open_partition(source_id, 0, 100)
    await store.open_partition(source_id, 1, 0)
    other: list[Event] = [Start("x", partition=1), End("x", partition=1)]
    await store.write(source_id, batch_of([*EVENTS, *other], {0: 100, 1: 0}), Refusals())
    yield pool
    await pool.close()


async def _first(pool: Pool) -> PartitionAudit:
    report = await audit(pool)
    first, second = report.partitions
    assert second.ok
    assert report.ok == first.ok
    return first


async def test_what_adds_up_is_clean(pool: Pool) -> None:
    found = await _first(pool)
    assert (found.start_offset, found.next_offset, found.rows, found.dead_letters) == (100, 110, 6, 2)
    assert found.skipped == {"no_record": 1, "identical_repeat": 1}
    assert found.faults() == []


async def test_an_empty_database_is_clean(database: str) -> None:
    pool = await open_pool(PostgresSettings(database=database))
    assert (await audit(pool)).ok
    await pool.close()


@pytest.mark.parametrize(
    ("planted", "gap"),
    [
        ("delete from completions where record_offset = 101", (101, 101)),
        ("delete from dead_letters where record_offset = 109", (109, 109)),  # the last offset
        ("with t as (delete from predictions where trip_id = 'a') delete from trips where trip_id = 'a'", (100, 100)),
        ("delete from skipped_records", (104, 105)),
    ],
)
async def test_a_missing_row_is_a_gap_with_its_offsets(pool: Pool, planted: str, gap: tuple[int, int]) -> None:
    await pool.execute(planted)
    found = await _first(pool)
    assert found.gaps == [gap]
    assert not found.ok


async def test_a_gap_and_a_double_do_not_cancel_out(pool: Pool) -> None:
    await pool.execute("delete from completions where record_offset = 106")
    await pool.execute("insert into skipped_records select source_id, 0, 103, 103, 'no_record' from event_sources")
    found = await _first(pool)
    assert (found.gaps, found.doubles) == ([(106, 106)], [(103, 103)])
    assert found.faults() == ["nothing at 106", "twice at 103"]


async def test_a_range_over_rows_names_each_double(pool: Pool) -> None:
    await pool.execute("insert into skipped_records select source_id, 0, 102, 103, 'no_record' from event_sources")
    assert (await _first(pool)).doubles == [(102, 102), (103, 103)]


async def test_a_range_that_reaches_over_rows_leaves_no_gap_behind_them(pool: Pool) -> None:
    await pool.execute("delete from skipped_records")
    await pool.execute("insert into skipped_records select source_id, 0, 102, 105, 'no_record' from event_sources")
    found = await _first(pool)
    assert (found.gaps, found.doubles) == ([], [(102, 102), (103, 103)])


async def test_rows_that_no_batch_reached_are_told(pool: Pool) -> None:
    await pool.execute("update stream_offsets set next_offset = 108 where partition = 0")
    found = await _first(pool)
    assert found.outside == 2
    assert found.faults() == ["2 records lie outside the offsets that were read"]


async def test_rows_of_a_partition_without_a_position_are_told(pool: Pool) -> None:
    await pool.execute("delete from stream_offsets where partition = 1")
    report = await audit(pool)
    assert [(one.partition, one.outside, one.ok) for one in report.partitions] == [(0, 0, True), (1, 2, False)]


async def test_a_trip_without_its_prediction_is_told(pool: Pool) -> None:
    await pool.execute("delete from predictions where trip_id = 'b'")
    found = await _first(pool)
    assert found.faults() == ["1 trips have no prediction, at 103"]


async def test_a_prediction_of_another_record_does_not_count(pool: Pool) -> None:
    await pool.execute("update predictions set record_offset = 555 where trip_id = 'b'")
    assert (await _first(pool)).unpredicted == 1


async def test_a_lost_range_adds_up_and_is_still_a_fault(pool: Pool) -> None:
    store = Streams(pool)
    [source_id] = [row[0] for row in await pool.fetch("select source_id from event_sources")]
    lost = Skipped(0, 110, 119, SkipReason.LOST)
    batch = replace(batch_of([], {0: 110}, skipped=[lost]), spans=(Span(0, 110, 120),))
    await store.write(source_id, batch, Refusals())
    found = await _first(pool)
    assert (found.lost, found.gaps, found.skipped["lost"]) == ([(110, 119)], [], 10)
    assert found.faults() == ["lost before they were read: 110 to 119"]


async def test_what_is_not_read_yet_is_no_fault(pool: Pool) -> None:
    report = await audit(pool, {(1, 0): 115, (1, 7): 3})
    assert [partition.unread for partition in report.partitions] == [5, None]
    assert report.ok


async def test_a_lost_range_over_records_that_were_read_is_only_what_is_missing(pool: Pool) -> None:
    """Positions reset by hand after retention: the rows are there, so only offsets without rows are lost."""
    store = Streams(pool)
    await pool.execute("update stream_offsets set next_offset = 100, published_offset = 100 where partition = 0")
    await pool.execute("delete from completions where record_offset = 106")
    lost = replace(batch_of([], {0: 100}, skipped=[Skipped(0, 100, 109, SkipReason.LOST)]), spans=(Span(0, 100, 110),))
    await store.write(1, lost, Refusals())
    assert (await _first(pool)).lost == [(106, 106)]
