"""Promise 15: who is told to stop finishes what has begun and ends with 0 within ten seconds, whatever the moment."""

import asyncio
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from adapters.environment.settings import KafkaSettings
from adapters.kafka.broker import Broker
from adapters.kafka.topics import end_offsets, ensure_topics
from cli.embedded.bootstrap import embedded_kafka
from cli.embedded.ports import HOST, free_ports
from tests.api_process import ApiProcess, api_process
from tests.chaos.conftest import verdict
from tests.chaos.journal import Journal
from tests.chaos.load import DRAIN_SECONDS, in_turn, send
from tests.chaos.report import Report
from tests.chaos.servers import Server
from tests.running import DEADLINE_SECONDS, REPOSITORY, World, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(600)]
PROMISED_SECONDS = 10.0
LANES = 2
RATE = 400.0


@pytest.mark.promise(15, short=True)
async def test_workers_told_to_stop_at_random_moments_lose_nothing(world: World, report: Report) -> None:
    moments = report.size(full=20, short=4)
    report.fault = f"SIGTERM to a worker at {moments} random moments under load"
    journal, took = Journal(), list[float]()
    events = in_turn(report.size(full=12_000, short=2_000), seed=15)
    sending = asyncio.create_task(send(world.kafka, f"{world.prefix}trip-events", events, journal, RATE))
    lanes = [_stop_workers(world, moments // LANES, random.Random(lane), took) for lane in range(LANES)]  # noqa: S311 - reproducible
    await asyncio.gather(*lanes)
    with world.worker():
        await sending
        await world.drained(DRAIN_SECONDS)
    report.measured["slowest_worker_s"] = round(max(took), 1)
    report.judged(await verdict(world, journal), journal)
    if report.full:
        assert max(took) <= PROMISED_SECONDS


async def _stop_workers(world: World, moments: int, chance: random.Random, took: list[float]) -> None:
    """One after the other, each some seconds after it has begun to listen to signals."""
    for _ in range(moments):
        worker = world.start_worker()
        await until(lambda: _has_begun(worker.events("registry")))  # noqa: B023 - awaited at once
        await asyncio.sleep(chance.uniform(0.0, 3.0))  # the moment is the fault
        took.append(await _told_to_stop(worker.process))
        assert worker.process.returncode == 0, worker.log.read_text()[-2000:]
        assert worker.events("drained")
        assert worker.events("left_unfinished") == []


async def _has_begun(events: list[dict[str, object]]) -> bool:
    return bool(events)


async def _told_to_stop(process: "subprocess.Popen[bytes]") -> float:
    """How many seconds it takes until it has ended."""
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    await asyncio.to_thread(process.wait, DEADLINE_SECONDS)
    return time.monotonic() - began


@pytest.mark.promise(15, short=True)
async def test_the_api_told_to_stop_answers_what_has_begun_and_every_answer_is_a_row(
    database: str, tmp_path: Path, report: Report
) -> None:
    moments = report.size(full=10, short=1)
    report.fault = f"SIGTERM to the API at {moments} random moments under load"
    chance, took, answers = random.Random(16), list[float](), 0  # noqa: S311 - reproducible
    for moment in range(moments):
        folder = tmp_path / str(moment)
        folder.mkdir()
        async with api_process(database, folder) as api:
            took.append(await _stop_under_load(api, chance.uniform(0.0, 1.0)))
            assert set(api.answered) - await api.stored() == set()
            answers += len(api.answered)
        assert "api_stopped" in api.log.read_text()
        assert "Traceback" not in api.log.read_text()
    report.sent = answers
    report.measured["slowest_api_s"] = round(max(took), 1)
    if report.full:
        assert max(took) <= PROMISED_SECONDS


async def _stop_under_load(api: ApiProcess, seconds: float) -> float:
    """One request is half sent when it comes: it is answered."""
    reader, writer = await asyncio.open_connection(HOST, urlsplit(api.address).port)
    body = b'{"trips": []}'
    writer.write(b"POST /predict/batch HTTP/1.1\r\nhost: x\r\ncontent-length: %d\r\n\r\n" % len(body) + body[:4])
    loading = asyncio.create_task(api.load())
    await until(lambda: _has_answered(api))
    await asyncio.sleep(seconds)  # the moment is the fault
    stopping = asyncio.create_task(_told_to_stop(api.process))
    await loading  # it takes no more
    writer.write(body[4:])
    assert (await reader.readline()).startswith(b"HTTP/1.1 422")
    writer.close()
    took = await stopping
    assert api.process.returncode == 0
    return took


async def _has_answered(api: ApiProcess) -> bool:
    return len(api.answered) >= 50


@pytest.mark.promise(15)
async def test_a_source_told_to_stop_while_the_broker_is_silent_ends_in_time_and_goes_on_later(
    tmp_path: Path, report: Report
) -> None:
    report.fault = "SIGTERM to `tripcast simulate` while the broker is silent (SIGSTOP)"
    kafka = embedded_kafka(tmp_path / "kafka", tmp_path / "kafka.log", *free_ports(2))
    broker = await asyncio.to_thread(Server, kafka)
    try:
        await ensure_topics(KafkaSettings(kafka=kafka.address))
        source = _simulate(kafka.address, tmp_path)
        await until(lambda: _has_events(kafka.address, 0))
        broker.signal(signal.SIGSTOP)
        await asyncio.sleep(3.0)  # it publishes every moment, so that it waits for an answer now
        took = await _told_to_stop(source)
        assert source.returncode == 0, (tmp_path / "source.log").read_text()
        broker.signal(signal.SIGCONT)
        before = sum((await end_offsets(Broker(kafka.address), "trip-events")).values())
        again = _simulate(kafka.address, tmp_path)
        await until(lambda: _has_events(kafka.address, before))
        assert await _told_to_stop(again) <= PROMISED_SECONDS
        assert again.returncode == 0
    finally:
        broker.signal(signal.SIGCONT)
        await asyncio.to_thread(broker.stop)
    report.measured["source_s"] = round(took, 1)
    assert took <= PROMISED_SECONDS


def _simulate(kafka: str, folder: Path) -> "subprocess.Popen[bytes]":
    settings = {"TRIPCAST_KAFKA": kafka, "TRIPCAST_DATA": str(folder)}
    command = [sys.executable, "-m", "cli", "simulate", "--speed", "60", "--rate", "100", "--state", str(folder / "city.json")]
    with (folder / "source.log").open("ab") as output:
        return subprocess.Popen(command, cwd=REPOSITORY, env={**os.environ, **settings}, stdout=output, stderr=output)


async def _has_events(kafka: str, more_than: int) -> bool:
    return sum((await end_offsets(Broker(kafka), "trip-events")).values()) > more_than
