"""Batches of records as no client of ours would write them, and how to bring them to a broker."""

import struct
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka import codec as codecs
from aiokafka.record.default_records import DefaultRecordBatchBuilder, _DefaultRecordBatchPy
from aiokafka.record.util import calc_crc32c

STAND_IN, ILL = b"ill_named", b"ill\xffnam\xfe\x00"  # of one length: what is sent for what is written
ILL_LOOKS = "ill\\xffnam\\xfe\x00"  # to whoever reads it
Row = tuple[bytes | None, bytes | None, Sequence[tuple[str, bytes | None]]]


def batch(rows: Sequence[Row], codec: int = 0) -> bytes:
    """One batch of format 2; a header that is called STAND_IN gets its ill name."""
    builder = DefaultRecordBatchBuilder(
        magic=2, compression_type=0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=-1, batch_size=1 << 30
    )
    for offset, (key, value, headers) in enumerate(rows):
        assert builder.append(offset, 1_456_833_600_000, key, value, list(headers)) is not None
    plain = bytes(builder.build()).replace(STAND_IN, ILL)
    return sealed(plain, codec)


def sealed(plain: bytes, codec: int) -> bytes:
    """The batch compressed, with the length and the sum that a broker checks."""
    size = _DefaultRecordBatchPy.HEADER_STRUCT.size
    whole = bytearray(plain[:size] + _compressed(plain[size:], codec))
    [attributes] = struct.unpack_from("!h", whole, _DefaultRecordBatchPy.ATTRIBUTES_OFFSET)
    struct.pack_into("!h", whole, _DefaultRecordBatchPy.ATTRIBUTES_OFFSET, attributes | codec)
    struct.pack_into("!i", whole, 8, len(whole) - _DefaultRecordBatchPy.AFTER_LEN_OFFSET)
    checked = memoryview(whole)[_DefaultRecordBatchPy.ATTRIBUTES_OFFSET :]
    struct.pack_into("!I", whole, _DefaultRecordBatchPy.CRC_OFFSET, calc_crc32c(checked))
    return bytes(whole)


def _compressed(body: bytes, codec: int) -> bytes:
    ways = {1: codecs.gzip_encode, 2: codecs.snappy_encode, 3: codecs.lz4_encode, 4: codecs.zstd_encode}
    return ways[codec](body) if codec else body


async def send(kafka: str, topic: str, partition: int, content: bytes) -> None:
    """Store a batch byte for byte."""
    producer = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", max_request_size=1 << 27)
    await producer.start()
    try:
        ready = producer.create_batch()
        ready.close()
        ready._buffer, ready._relative_offset = content, _DefaultRecordBatchPy.HEADER_STRUCT.unpack_from(content)[-1]
        await (await producer.send_batch(ready, topic, partition=partition))
    finally:
        await producer.stop()


def moved(content: bytes, first_offset: int) -> tuple[bytes, int]:
    """The batch at another offset, as a broker stores it, and the offset behind it."""
    header = _DefaultRecordBatchPy.HEADER_STRUCT.unpack_from(content)
    return struct.pack("!q", first_offset) + content[8:], first_offset + header[-1]
