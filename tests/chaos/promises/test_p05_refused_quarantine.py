"""Promise 5: a dead letter is durable before the offset moves: while the broker refuses it, all waits, and the lag says so."""

import asyncio

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.topics import TRIP_QUARANTINE
from tests.chaos.conftest import verdict
from tests.chaos.journal import Journal
from tests.chaos.load import AT_ONCE, DRAIN_SECONDS, in_turn, send, send_raw
from tests.chaos.report import Report
from tests.running import Worker, World, until

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
SIZE = {"max.message.bytes": str(TRIP_QUARANTINE.max_record_bytes)}  # a change of a topic's configuration replaces all of it
REFUSED_SECONDS = 35  # longer than a producer's deadline
# With one broker `min.insync.replicas=2` refuses nothing: Kafka 4 asks for no more replicas than a topic has.
REFUSALS = [({"cleanup.policy": "compact"}, "no key"), ({"max.message.bytes": "100"}, "too large")]


@pytest.mark.promise(5)
@pytest.mark.parametrize(("refusal", "why"), REFUSALS)
async def test_nothing_moves_while_the_broker_refuses_a_dead_letter(
    world: World, report: Report, refusal: dict[str, str], why: str
) -> None:
    report.fault = f"the broker refuses the quarantine topic ({why}) for {REFUSED_SECONDS} s"
    journal, topic = Journal(), f"{world.prefix}trip-events"
    events = in_turn(2_000, seed=50)
    with world.worker() as worker:
        await send(world.kafka, topic, events[:1_000], journal, AT_ONCE)
        await world.drained(DRAIN_SECONDS)
        await _configure(world, SIZE | refusal)
        await send_raw(world.kafka, topic, [(None, b"rubbish" * 100)], journal)
        await send(world.kafka, topic, events[1_000:], journal, AT_ONCE)
        await until(lambda: _says_lag(worker))
        stood = await _state(world)
        for _ in range(REFUSED_SECONDS):
            await asyncio.sleep(1)  # the refusal is the fault
            assert await _state(world) == stood
            assert await _says_lag(worker)
        assert worker.process.poll() is None
        assert worker.events("waiting")
        report.measured[f"lag_seconds, {why}"] = round(worker.metric("tripcast_lag_seconds", partition=str(_bad(journal)[0])))
        await _configure(world, SIZE)
        await report.recovers(lambda: _drained(world), promised_s=10.0)
        [letter] = await world.rows("select partition, record_offset, reason from dead_letters")
        assert tuple(letter) == (*_bad(journal), "null_key")
    report.judged(await verdict(world, journal), journal)


def _bad(journal: Journal) -> tuple[int, int]:
    [entry] = [entry for entry in journal.sent if entry.event is None]
    return entry.partition, entry.offset


async def _configure(world: World, configuration: dict[str, str]) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=world.kafka)
    await admin.start()
    try:
        resource = ConfigResource(ConfigResourceType.TOPIC, f"{world.prefix}{TRIP_QUARANTINE.name}", configuration)
        for response in await admin.alter_configs([resource]):
            assert [code for code, *_ in response.resources] == [0], response
    finally:
        await admin.close()


async def _state(world: World) -> list[tuple[int, ...]]:
    """Where the partition of the refused event stands, with every dead letter."""
    offsets = await world.rows("select partition, next_offset from stream_offsets order by partition")
    letters = await world.rows("select partition, record_offset from dead_letters")
    return [tuple(row) for row in (*offsets, *letters)]


async def _says_lag(worker: Worker) -> bool:
    return await asyncio.to_thread(worker.metric, "tripcast_lag_events") > 0


async def _drained(world: World) -> bool:
    try:
        await world.drained(1.0)
    except TimeoutError:
        return False
    return True
