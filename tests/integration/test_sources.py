"""`tripcast replay` and `tripcast simulate` as processes, against a real broker: what they publish, and how they stop."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.structs import ConsumerRecord

from adapters.environment.settings import KafkaSettings
from adapters.kafka.broker import Broker
from adapters.kafka.topics import end_offsets, ensure_topics
from schemas.events import TripCompleted, TripEvent
from schemas.topics import TRIP_EVENTS
from tests.files import csv_file
from tests.running import until

PARTITIONS = 3
DEADLINE_SECONDS = 60.0
decode = msgspec.json.Decoder(TripEvent).decode


class Source:
    """The commands, and the topic that they publish to."""

    def __init__(self, kafka_address: str, topic_prefix: str, folder: Path) -> None:
        self.kafka_address, self.topic, self.folder = kafka_address, topic_prefix + TRIP_EVENTS.name, folder
        self.environment = os.environ | {
            "TRIPCAST_KAFKA": kafka_address,
            "TRIPCAST_TOPIC_PREFIX": topic_prefix,
            "TRIPCAST_DATA": str(folder),
        }

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "cli", *map(str, arguments)],
            env=self.environment,
            cwd=Path(__file__).parents[2],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    async def run(self, *arguments: object) -> tuple[int, str, str]:
        return await self.ended(self.start(*arguments))

    async def ended(self, process: subprocess.Popen[str]) -> tuple[int, str, str]:
        out, err = await asyncio.to_thread(process.communicate, timeout=DEADLINE_SECONDS)
        return process.returncode, out, err

    async def count(self) -> int:
        return sum((await end_offsets(Broker(self.kafka_address), self.topic)).values())

    async def reaches(self, count: int) -> None:
        async def has() -> bool:
            return await self.count() >= count

        await until(has)

    async def records(self) -> list[ConsumerRecord]:
        count = await self.count()
        found: list[ConsumerRecord] = []
        async with AIOKafkaConsumer(bootstrap_servers=self.kafka_address, auto_offset_reset="earliest") as consumer:
            consumer.assign([TopicPartition(self.topic, number) for number in range(PARTITIONS)])
            await consumer.seek_to_beginning()
            while len(found) < count:
                for records in (await consumer.getmany(timeout_ms=1000)).values():
                    found += records
        return found


@pytest.fixture
async def source(kafka_address: str, topic_prefix: str, tmp_path: Path) -> Source:
    await ensure_topics(KafkaSettings(kafka=kafka_address, topic_prefix=topic_prefix, partitions=PARTITIONS))
    return Source(kafka_address, topic_prefix, tmp_path)


def hours_of_trips(folder: Path, count: int) -> Path:
    """One trip a minute, of ten minutes each, and one that cannot be true."""
    rows = (
        {
            "id": f"trip-{number:04}",
            "pickup_datetime": f"2016-03-01 {number // 60:02}:{number % 60:02}:00",
            "dropoff_datetime": f"2016-03-01 {(number + 10) // 60:02}:{(number + 10) % 60:02}:00",
        }
        for number in range(count)
    )
    return csv_file(folder, *rows, {"id": "nobody", "vendor_id": -1})


async def test_a_replay_publishes_each_trips_start_and_end_once_and_in_order(source: Source, tmp_path: Path):
    code, out, err = await source.run("replay", hours_of_trips(tmp_path, 300), "--speed", "max", "--json")

    assert code == 0, err
    summary = json.loads(out)
    assert (summary["published_started"], summary["published_completed"]) == (300, 300)
    assert summary["refused"] == {"vendor_invalid": 1}
    kinds: dict[str, list[bool]] = {}
    for record in await source.records():
        event = decode(record.value)
        assert record.key == event.trip_id.encode()
        kinds.setdefault(event.trip_id, []).append(isinstance(event, TripCompleted))
    assert len(kinds) == 300
    assert set(map(tuple, kinds.values())) == {(False, True)}


@pytest.mark.parametrize("stop", [signal.SIGTERM, signal.SIGINT])
async def test_a_stopped_replay_ends_cleanly_and_the_next_one_goes_on(source: Source, tmp_path: Path, stop: signal.Signals):
    path, state = hours_of_trips(tmp_path, 300), tmp_path / "replay.json"
    process = source.start("replay", path, "--speed", "600", "--state", state, "--json")
    await source.reaches(5)
    process.send_signal(stop)
    code, out, err = await source.ended(process)
    assert code == 0, err
    first = json.loads(out)
    assert first["stopped"]
    assert first["published_started"] + first["published_completed"] == await source.count() < 600

    code, out, err = await source.run("replay", path, "--speed", "max", "--state", state, "--json")

    assert code == 0, err
    assert json.loads(out)["resumed_at"] == first["published_started"] + first["published_completed"]
    counts = Counter((record.key, record.value) for record in await source.records())
    assert len(counts) == 600
    assert set(counts.values()) == {1}


async def test_the_city_is_slowed_down_from_another_terminal_and_goes_on_after_a_stop(source: Source, tmp_path: Path):
    arguments = ("simulate", "--speed", "600", "--rate", "500", "--state", tmp_path / "city.json", "--json")
    process = source.start(*arguments)
    await source.reaches(100)
    code, out, err = await source.run("simulate", "--apply", "--slowdown", "3", "--json")
    assert code == 0, err
    assert json.loads(out)["slowdown"] == 3.0
    await source.reaches(await source.count() + 500)
    process.send_signal(signal.SIGTERM)
    code, out, err = await source.ended(process)
    assert code == 0, err
    assert "knobs_turned" in err
    first = json.loads(out)["published"]
    assert first["started"] + first["completed"] == await source.count()
    assert not (tmp_path / "simulator.toml").exists()

    code, out, err = await source.run(*arguments, "--duration", "5")

    assert code == 0, err
    records = [(record.key, record.value) for record in await source.records()]
    assert len(set(records)) == len(records)


async def test_poison_reaches_the_topic_as_it_is(source: Source):
    code, out, err = await source.run("simulate", "--duration", "20", "--speed", "max", "--poison", "0.2", "--json")

    assert code == 0, err
    published = json.loads(out)["published"]
    undecodable = 0
    for record in await source.records():
        try:
            undecodable += decode(record.value).trip_id.encode() != record.key
        except (msgspec.DecodeError, UnicodeDecodeError):
            undecodable += 1
    assert published["poison"] > 0
    assert published["poison"] * 0.7 <= undecodable <= published["poison"]  # one kind in ten is only too large


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("replay", "nowhere.csv"), 3, "cannot be read"),
        (("replay", "nowhere.csv", "--speed", "fast"), 3, "--speed fast"),
        (("replay", "nowhere.csv", "--speed", "-1"), 3, "--speed -1"),
        (("simulate", "--slowdown", "-1"), 3, "slowdown"),
        (("simulate", "--fault", "smoke"), 3, "fault"),
        (("simulate", "--slowdown-area", "gotham"), 3, "there are whole, manhattan"),
        (("simulate", "--apply", "--slowdown", "2"), 3, "no simulation runs"),
        (("simulate", "--start", "2025-03-09T02:30:00"), 3, "never showed"),
    ],
)
async def test_wrong_input_gives_one_line_and_a_code(tmp_path: Path, arguments: tuple[str, ...], code: int, words: str):
    found, out, err = await Source("127.0.0.1:1", "", tmp_path).run(*arguments)

    assert (found, out) == (code, "")
    assert words in err
    assert len(err.splitlines()) == 1


async def test_an_unreachable_broker_gives_one_clear_line_and_code_4(tmp_path: Path):
    code, out, err = await Source("127.0.0.1:1", "", tmp_path).run("replay", hours_of_trips(tmp_path, 3))

    assert (code, out) == (4, "")
    assert err.splitlines()[-1].startswith("tripcast: Kafka at 127.0.0.1:1 did not take the connection")
    assert "Traceback" not in err
