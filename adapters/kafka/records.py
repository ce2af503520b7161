"""Read whatever a producer may have written: header names of any bytes, compressed batches of any size.

aiokafka 0.14 raises for a header whose name is not UTF-8, and opens a compressed batch of a few kilobytes into gigabytes: such
a record would be fetched again for ever, by one worker after the other, and nothing behind it. The broker takes both.
"""

import struct
import zlib
from collections.abc import Iterator
from typing import Any

import aiokafka.consumer.fetcher
import cramjam
import structlog
from aiokafka.codec import snappy_decode
from aiokafka.record.default_records import DefaultRecordBatch, _DefaultRecordBatchPy
from aiokafka.record.memory_records import _MemoryRecordsPy

from schemas.topics import MAX_RECORD_BYTES

log = structlog.get_logger("tripcast.kafka")

MOST_BATCH_BYTES = 4 * MAX_RECORD_BYTES  # of an opened batch; producers close theirs at 1 MB and less, which open to some MB
GUESSED_RATIO = 12  # of what is opened to what is compressed; trips have 4 to 6
MOST_BLOCK_BYTES = 2 * MAX_RECORD_BYTES  # opened of one fetch; then the rest is fetched again
HEADER_BYTES = _DefaultRecordBatchPy.HEADER_STRUCT.size
ATTRIBUTES_AT = _DefaultRecordBatchPy.ATTRIBUTES_OFFSET
GZIP, SNAPPY = _DefaultRecordBatchPy.CODEC_GZIP, _DefaultRecordBatchPy.CODEC_SNAPPY
INTO = {_DefaultRecordBatchPy.CODEC_LZ4: cramjam.lz4, _DefaultRecordBatchPy.CODEC_ZSTD: cramjam.zstd}
XERIAL_MAGIC, XERIAL_HEADER_BYTES = b"\x82SNAPPY\x00", 16  # how Java frames blocks of snappy
BLOCK_LENGTH = struct.Struct("!i")


def read_anything() -> None:
    """Let every consumer of this process read so. Idempotent."""
    aiokafka.consumer.fetcher.MemoryRecords = Block


class Block(_MemoryRecordsPy):
    """What one fetch brought of a partition: aiokafka's MemoryRecords, which ends early when much has been opened."""

    opened_bytes = 0

    def has_next(self) -> bool:
        """Whether there is a batch that may still be opened."""
        return self.opened_bytes < MOST_BLOCK_BYTES and bool(super().has_next())

    def next_batch(self, *_: int) -> Any:  # noqa: ANN401 - the library's own
        """The next batch; those of formats before Kafka 0.11 are the library's own."""
        content = self._next_slice
        batch = super().next_batch()
        return Batch(self, batch, content) if isinstance(batch, DefaultRecordBatch) else batch


class Batch:
    """One batch; all that is not about reading its records is the library's."""

    __slots__ = ("_batch", "_block", "_content")

    def __init__(self, block: Block, batch: Any, content: memoryview) -> None:  # noqa: ANN401 - the library's own
        self._block, self._batch, self._content = block, batch, content

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - the library's own
        return getattr(self._batch, name)

    def __next__(self) -> Any:  # noqa: ANN401 - the library's own
        """Of a control batch, whose record is its only one."""
        return next(self._batch)

    def __iter__(self) -> Iterator[Any]:
        """Its records in order; a reader must skip those that it has seen already. What is too large is a hole, and logged."""
        batch, content = self._batch, self._content
        if batch.compression_type:
            opened = uncompressed(content, batch.compression_type)
            if opened is None:
                log.error("batch_too_large", first_offset=batch.base_offset, next_offset=batch.next_offset)
                return
            self._block.opened_bytes += len(opened)
            content, batch = opened, DefaultRecordBatch(opened)
        records = _with_any_names(batch, content)
        yield from _of_bearable_size(records) if len(content) > MAX_RECORD_BYTES else records


def uncompressed(content: memoryview, codec: int) -> memoryview | None:
    """The same batch, opened; None when it opens to more than MOST_BATCH_BYTES, which are not opened then."""
    header, body = bytearray(content[:HEADER_BYTES]), content[HEADER_BYTES:]
    [attributes] = struct.unpack_from("!h", header, ATTRIBUTES_AT)
    struct.pack_into("!h", header, ATTRIBUTES_AT, attributes & ~_DefaultRecordBatchPy.CODEC_MASK)
    opened = {GZIP: _gunzipped, SNAPPY: _unsnapped}.get(codec, _filled)(body, codec)
    return None if opened is None else memoryview(header + opened)


def _gunzipped(body: memoryview, _codec: int) -> bytes | None:
    opener = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16)
    opened = opener.decompress(body, MOST_BATCH_BYTES)
    return opened if opener.eof else None


def _unsnapped(body: memoryview, _codec: int) -> bytes | None:
    size = sum(cramjam.snappy.decompress_raw_len(block) for block in _snappy_blocks(body))
    return bytes(snappy_decode(body)) if size <= MOST_BATCH_BYTES else None


def _filled(body: memoryview, codec: int) -> memoryview | None:
    size = GUESSED_RATIO * len(body)
    while True:
        space = bytearray(min(size, MOST_BATCH_BYTES))
        try:
            return memoryview(space)[: INTO[codec].decompress_into(body, space)]
        except cramjam.DecompressionError:  # the broker has opened it before it took it: only the size can be wrong
            if size >= MOST_BATCH_BYTES:
                return None
            size *= GUESSED_RATIO


def _snappy_blocks(body: memoryview) -> Iterator[memoryview]:
    if bytes(body[: len(XERIAL_MAGIC)]) != XERIAL_MAGIC:
        yield body
        return
    at = XERIAL_HEADER_BYTES
    while at < len(body):
        [length] = BLOCK_LENGTH.unpack_from(body, at)
        at += BLOCK_LENGTH.size
        yield body[at : at + length]
        at += length


def _with_any_names(batch: Any, content: memoryview) -> Iterator[Any]:  # noqa: ANN401 - the library's own
    try:
        yield from batch
    except UnicodeDecodeError:
        yield from _Tolerant(content)


class _Tolerant(_DefaultRecordBatchPy):
    r"""The library's slow reader; bytes of a header's name that are not UTF-8 are written out, as `\xff`."""

    def __init__(self, content: memoryview) -> None:
        super().__init__(content)
        self._buffer: bytearray = _Text(content)


class _Text(bytearray):
    """Bytes whose parts decode whatever they are."""

    def __getitem__(self, at: Any) -> Any:  # noqa: ANN401 - a number or a slice
        found = super().__getitem__(at)
        return _Text(found) if isinstance(found, bytearray) else found

    def decode(self, encoding: str = "utf-8", errors: str = "backslashreplace") -> str:
        return super().decode(encoding, errors)


def _of_bearable_size(records: Iterator[Any]) -> Iterator[Any]:
    """A record that only compression brought past the broker's limit could not go into quarantine either."""
    for record in records:
        if (size := _size(record)) <= MAX_RECORD_BYTES:
            yield record
        else:
            log.error("record_too_large", offset=record.offset, bytes=size)


def _size(record: Any) -> int:  # noqa: ANN401 - the library's own
    beside = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + beside
