"""A batch that aiokafka cannot read, or must not, is read or stepped over; and its neighbours are read."""

import os
import tracemalloc
from collections.abc import Sequence

import pytest
from aiokafka.consumer.fetcher import PartitionRecords
from aiokafka.structs import ConsumerRecord, TopicPartition
from structlog.testing import capture_logs

from adapters.kafka.records import MOST_BATCH_BYTES, MOST_BLOCK_BYTES, Block
from schemas.topics import MAX_RECORD_BYTES
from tests.kafka_batches import ILL_LOOKS, STAND_IN, Row, batch, moved

GZIP, SNAPPY, LZ4, ZSTD = 1, 2, 3, 4
CODECS = (0, GZIP, SNAPPY, LZ4, ZSTD)
MIB = 1024 * 1024


def read(content: bytes) -> tuple[list[ConsumerRecord], int]:
    """What aiokafka makes of one fetch, and where the next one begins."""
    partition = PartitionRecords(TopicPartition("t", 0), Block(content), None, 0, None, None, True, 0)
    return list(partition), partition.next_fetch_offset


def batches(*contents: bytes) -> bytes:
    """One after the other, with offsets that go on."""
    joined, offset = b"", 0
    for content in contents:
        placed, offset = moved(content, offset)
        joined += placed
    return joined


@pytest.mark.parametrize("codec", CODECS)
def test_a_header_whose_name_is_not_utf8_is_written_out_and_nothing_else_changes(codec: int) -> None:
    rows: list[Row] = [
        (b"a", b"1", [("before", b"\xff")]),
        (b"b", None, [("before", None), (STAND_IN.decode(), b"\x00\xff"), ("behind", b"")]),
        (None, b"3", []),
    ]
    records, after = read(batch(rows, codec))
    assert [(record.offset, record.key, record.value) for record in records] == [
        (0, b"a", b"1"),
        (1, b"b", None),
        (2, None, b"3"),
    ]
    assert [record.headers for record in records] == [
        (("before", b"\xff"),),
        (("before", None), (ILL_LOOKS, b"\x00\xff"), ("behind", b"")),
        (),
    ]
    assert ({record.timestamp for record in records}, after) == ({1_456_833_600_000}, 3)


@pytest.mark.parametrize("codec", [GZIP, SNAPPY, LZ4, ZSTD])
def test_a_batch_that_opens_without_end_is_stepped_over_in_bounded_memory(codec: int) -> None:
    bomb = batch([(b"k", b"\x00" * (MAX_RECORD_BYTES - 100), ())] * 12, codec)
    good = batch([(b"k", b"v", ())])
    tracemalloc.start()
    with capture_logs() as logs:
        records, after = read(batches(good, bomb, good))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert ([record.offset for record in records], after) == ([0, 13], 14)
    assert logs == [{"event": "batch_too_large", "log_level": "error", "first_offset": 1, "next_offset": 13}]
    assert peak < 2.5 * MOST_BATCH_BYTES  # zlib doubles its space as it goes


def test_a_record_that_only_compression_brought_past_the_broker_is_stepped_over() -> None:
    rows: list[Row] = [
        (b"k", b"v", ()),
        (b"k", b"\x00" * (MAX_RECORD_BYTES + 1), ()),
        (b"k", b"\x00" * MAX_RECORD_BYTES, [("h", b"x")]),
    ]
    with capture_logs() as logs:
        records, after = read(batch([*rows, (b"k", b"v", ())], ZSTD))
    assert ([record.offset for record in records], after) == ([0, 3], 4)
    assert [(entry["event"], entry["offset"]) for entry in logs] == [("record_too_large", 1), ("record_too_large", 2)]


def test_one_fetch_opens_a_bounded_amount_and_the_next_goes_on_behind_it() -> None:
    large = batch([(b"k", b"\x00" * (MAX_RECORD_BYTES - 100), ())], ZSTD)
    records, after = read(batches(*[large] * 50))
    assert len(records) == after == -(-MOST_BLOCK_BYTES // MAX_RECORD_BYTES) + 1
    assert sum(len(record.value) for record in records) < MOST_BLOCK_BYTES + MOST_BATCH_BYTES


@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("rows", [1, 1000])
def test_what_is_well_is_read_as_before(codec: int, rows: int) -> None:
    wanted: Sequence[tuple[bytes, bytes]] = [(os.urandom(8), os.urandom(300)) for _ in range(rows)]
    records, after = read(batches(batch([(*row, [("h", b"1")]) for row in wanted], codec), batch([(b"k", b"v", ())], codec)))
    assert [(record.key, record.value) for record in records[:-1]] == wanted
    assert after == rows + 1
