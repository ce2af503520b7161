"""The producer against a real broker: order, partitions, deadlines, and life after a refused record."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.partitioner import murmur2
from aiokafka.structs import ConsumerRecord

from adapters.environment.settings import KafkaSettings
from adapters.kafka.broker import Broker
from adapters.kafka.producer import RecordProducer
from adapters.kafka.topics import ensure_topics
from cli.embedded.bootstrap import embedded_kafka
from cli.embedded.ports import HOST, free_ports
from domain.errors import BrokerUnreachable, InvalidInput
from schemas.topics import TRIP_EVENTS
from tests.running import until

PARTITIONS = 3
TOO_LARGE = 12 * 1024 * 1024


@pytest.fixture
async def topic(kafka_address: str, topic_prefix: str) -> str:
    await ensure_topics(KafkaSettings(kafka=kafka_address, topic_prefix=topic_prefix, partitions=PARTITIONS))
    return topic_prefix + TRIP_EVENTS.name


async def stored(kafka_address: str, topic: str, count: int | None) -> list[ConsumerRecord]:
    """All records of a topic, partition by partition; there must be `count` where a count is given."""
    partitions = [TopicPartition(topic, number) for number in range(PARTITIONS)]
    async with AIOKafkaConsumer(bootstrap_servers=kafka_address, auto_offset_reset="earliest") as consumer:
        consumer.assign(partitions)
        await consumer.seek_to_beginning()
        found_count = sum((await consumer.end_offsets(partitions)).values())
        assert count in (None, found_count)
        records: list[ConsumerRecord] = []
        while len(records) < found_count:
            for found in (await consumer.getmany(timeout_ms=1000)).values():
                records += found
    return records


async def test_many_records_keep_their_order_within_each_key_and_land_in_its_partition(kafka_address: str, topic: str):
    keys = [f"trip-{number % 700}".encode() for number in range(50_000)]
    values = [f"{number:0200}".encode() for number in range(50_000)]  # several batches a partition

    async with RecordProducer(Broker(kafka_address)) as producer:
        await producer.publish(topic, keys, values)

    records = await stored(kafka_address, topic, 50_000)
    numbers: dict[bytes, list[int]] = {}
    for record in records:
        assert record.partition == (murmur2(record.key) & 0x7FFFFFFF) % PARTITIONS
        numbers.setdefault(record.key, []).append(int(record.value))
    assert all(found == sorted(found) for found in numbers.values())
    assert {int(record.value) for record in records} == set(range(50_000))


async def test_one_record_keeps_its_bytes_headers_time_and_place(kafka_address: str, topic: str):
    async with RecordProducer(Broker(kafka_address)) as producer:
        delivered = await producer.send(topic, b"\xff", None, [("a", b"\x00"), ("a", None)], partition=2, timestamp_ms=1000)
        await producer.send(topic, None, b"value")

    records = await stored(kafka_address, topic, 2)
    (record,) = [record for record in records if record.key == b"\xff"]
    assert (record.partition, record.offset) == (delivered.partition, delivered.offset) == (2, delivered.offset)
    assert (record.value, record.timestamp, record.headers) == (None, 1000, (("a", b"\x00"), ("a", None)))


async def test_bulk_and_single_records_agree_on_the_partition(kafka_address: str, topic: str):
    async with RecordProducer(Broker(kafka_address)) as producer:
        for number in range(20):
            key = f"trip-{number}".encode()
            delivered = await producer.send(topic, key, b"1")
            await producer.publish(topic, [key], [b"2"])
            assert delivered.partition == (murmur2(key) & 0x7FFFFFFF) % PARTITIONS

    records = await stored(kafka_address, topic, 40)
    assert len({(record.key, record.partition) for record in records}) == 20


async def test_a_record_that_is_too_large_is_refused_and_harms_nobody_else(kafka_address: str, topic: str):
    async with RecordProducer(Broker(kafka_address)) as producer:
        await producer.publish(topic, [b"a"], [b"1"])
        with pytest.raises(InvalidInput, match="larger than Kafka"):
            await producer.publish(topic, [b"a"], [b"x" * TOO_LARGE])
        with pytest.raises(InvalidInput, match="larger than Kafka"):
            await producer.send(topic, b"a", b"x" * TOO_LARGE)
        await producer.publish(topic, [b"a"], [b"2"])
        await producer.send(topic, b"a", b"3")

    assert [record.value for record in await stored(kafka_address, topic, 3)] == [b"1", b"2", b"3"]


async def test_several_tasks_may_publish_at_once(kafka_address: str, topic: str):
    async with RecordProducer(Broker(kafka_address)) as producer:
        await asyncio.gather(
            *(producer.publish(topic, [b"k%d" % number] * 2000, [b"v"] * 2000) for number in range(8)),
            *(producer.send(topic, b"s%d" % number, b"v") for number in range(50)),
        )

    assert len(await stored(kafka_address, topic, 16_050)) == 16_050


async def test_nothing_to_publish_is_no_error(kafka_address: str, topic: str):
    async with RecordProducer(Broker(kafka_address)) as producer:
        await producer.publish(topic, [], [])


async def test_a_missing_topic_is_said_in_words(kafka_address: str, topic_prefix: str):
    async with RecordProducer(Broker(kafka_address), deadline_seconds=2.0) as producer:
        with pytest.raises(BrokerUnreachable, match=r"has no topic .*nowhere: run `tripcast migrate`"):
            await producer.send(topic_prefix + "nowhere", b"k", b"v")


async def test_a_broker_that_is_not_there_is_said_in_words():
    with pytest.raises(BrokerUnreachable, match="did not take"):
        async with RecordProducer(Broker(f"{HOST}:{free_ports(1)[0]}"), deadline_seconds=2.0):
            pass


async def test_a_broker_that_never_answers_is_given_up_in_time():
    """The listener accepts and stays silent, as a hung broker does."""
    closed = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await closed.wait()
        writer.close()

    server = await asyncio.start_server(silent, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    with pytest.raises(BrokerUnreachable, match="did not take"):
        async with RecordProducer(Broker(f"{HOST}:{port}"), deadline_seconds=1.0):
            pass
    closed.set()
    server.close()
    await server.wait_closed()


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The address and the process of a broker that no other test uses."""
    kafka = embedded_kafka(tmp_path / "kafka", tmp_path / "kafka.log", *free_ports(2))
    kafka.prepare()
    with kafka.part() as part:
        yield kafka.address, psutil.Process(part.process.pid)


async def freeze(process: psutil.Process) -> None:
    """Return when every thread stands still: on a busy machine the last of them runs on for a while, and may still answer."""
    process.suspend()
    states = [Path(f"/proc/{process.pid}/task/{thread.id}/stat") for thread in process.threads()]

    async def stands_still() -> bool:
        return all(state.read_text().rpartition(")")[2].split()[0] == "T" for state in states)

    await until(stands_still)


async def test_a_frozen_broker_is_given_up_in_time_and_taken_up_again(
    own_broker: tuple[str, psutil.Process], topic_prefix: str
):
    address, process = own_broker
    topic = topic_prefix + TRIP_EVENTS.name
    await ensure_topics(KafkaSettings(kafka=address, topic_prefix=topic_prefix, partitions=PARTITIONS))
    async with RecordProducer(Broker(address), deadline_seconds=2.0) as producer:
        await producer.publish(topic, [b"k"], [b"1"])
        await freeze(process)
        async with asyncio.timeout(30):  # aiokafka alone would try for ever
            outcomes = await asyncio.gather(
                producer.publish(topic, [b"k"], [b"lost"]), producer.send(topic, b"k", b"lost"), return_exceptions=True
            )
        assert [type(outcome) for outcome in outcomes] == [BrokerUnreachable, BrokerUnreachable]
        process.resume()
        await producer.publish(topic, [b"k"], [b"2"])

    values = [record.value for record in await stored(address, topic, None)]
    assert values[0] == b"1"
    assert values.count(b"2") == 1
    assert len(values) <= 4  # what was given up may have arrived, once


async def test_a_producer_in_a_hurry_gives_up_what_is_under_way():
    closed = asyncio.Event()

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        producer.hurry(0.1)
        await closed.wait()
        writer.close()

    server = await asyncio.start_server(silent, HOST, 0)
    producer = RecordProducer(Broker(f"{HOST}:{server.sockets[0].getsockname()[1]}"), deadline_seconds=3600.0)
    with pytest.raises(BrokerUnreachable, match="did not take"):
        await asyncio.wait_for(producer.__aenter__(), 60.0)
    closed.set()
    server.close()
