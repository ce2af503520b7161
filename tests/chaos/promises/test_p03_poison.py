"""Promise 3: a bad event stops nobody: it is quarantined byte for byte, and its neighbours are scored."""

import random

import msgspec
import pytest

from adapters.kafka.broker import Broker
from adapters.kafka.producer import RecordProducer
from domain.entities.rejections import Reason
from schemas.events import TripCompleted, TripStarted
from schemas.headers import DETAIL, ORIGIN, REASON
from tests.chaos.conftest import verdict
from tests.chaos.journal import Journal
from tests.chaos.kills import died
from tests.chaos.load import AT_ONCE, DRAIN_SECONDS, Record, in_turn, send
from tests.chaos.poison import KINDS
from tests.chaos.report import Report
from tests.running import World, events_of
from tests.trips import random_trips

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
HEADERS = (("trace", b"\x00\xff"), ("trace", b"again"), ("none", None))
Place = tuple[int, int]  # partition and offset


@pytest.mark.promise(3, short=True)
async def test_every_kind_of_bad_event_is_quarantined_byte_for_byte_and_the_others_are_scored(
    world: World, report: Report
) -> None:
    report.fault = f"1% of each of {len(KINDS)} kinds of bad events under load"
    journal, trips = Journal(), report.size(full=1_000, short=100)
    with world.worker() as worker:
        bad = await _send_with_bad_ones(world, journal, in_turn(trips, seed=30))
        await world.drained(DRAIN_SECONDS)
        assert worker.metric("tripcast_trips_scored_total") == trips == await world.count("predictions")
        for reason in set(bad.values()):
            count = list(bad.values()).count(reason)
            assert worker.metric("tripcast_events_quarantined_total", reason=reason.value) == count, reason
    assert len(bad) == len(KINDS) * (2 * trips // 100)
    await _assert_quarantined(world, journal, bad)
    report.judged(await verdict(world, journal), journal)


@pytest.mark.promise(3, short=True)
async def test_an_event_that_kills_the_process_is_refused_after_three_deaths_on_it_alone(world: World, report: Report) -> None:
    report.fault = "an event that kills the process, three times"
    trips, journal = events_of(random_trips(20))[0], Journal()
    killer = trips[10].trip_id
    await send(world.kafka, f"{world.prefix}trip-events", trips, journal, AT_ONCE)
    deaths = 0
    while await died(world, TEST_KILLER=killer, TRIPCAST_WORKER_GROUP=f"after-{deaths}"):
        deaths += 1
    assert deaths == 1 + 3  # with the first batch in hand, then three times alone
    [letter] = await world.rows("select * from dead_letters")
    assert (letter["reason"], letter["key"]) == ("kills_the_worker", killer.encode())
    assert [record.key for record in await world.published("trip-quarantine")] == [killer.encode()]
    assert await world.count("trips") == len(trips) - 1
    report.measured["deaths"] = deaths
    report.judged(await verdict(world, journal), journal)


async def _send_with_bad_ones(world: World, journal: Journal, events: list[TripStarted | TripCompleted]) -> dict[Place, Reason]:
    """All of them, and among them at random places the bad ones; returns where those are, and why each is bad."""
    chance = random.Random(31)  # noqa: S311 - a reproducible schedule
    starts = [event for event in events if isinstance(event, TripStarted)]
    spoiled = [(reason, spoil) for reason, spoil in KINDS.values() for _ in range(len(events) // 100)]
    queue: list[tuple[Record, Reason | None]] = [
        ((event.trip_id.encode(), msgspec.json.encode(event)), None) for event in events
    ]
    for (reason, spoil), event in zip(spoiled, chance.sample(starts, len(spoiled)), strict=True):
        record = spoil(b"bad-" + event.trip_id.encode(), _renamed(event))
        queue.insert(chance.randrange(len(queue)), (record, reason))
    bad: dict[Place, Reason] = {}
    async with RecordProducer(Broker(world.kafka)) as producer:
        for (key, value), why in queue:
            answer = await producer.send(f"{world.prefix}trip-events", key, value, HEADERS if why else ())
            journal.acknowledge(answer.partition, answer.offset, key, value)
            if why:
                bad[answer.partition, answer.offset] = why
    return bad


def _renamed(event: TripStarted) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(event, trip_id=f"bad-{event.trip_id}"))


async def _assert_quarantined(world: World, journal: Journal, bad: dict[Place, Reason]) -> None:
    """In both places: key, value and headers as they were, the reason, and whence it came."""
    letters = {(row["partition"], row["record_offset"]): row for row in await world.rows("select * from dead_letters")}
    records = {dict(record.headers)[ORIGIN]: record for record in await world.published("trip-quarantine")}
    sent = {(entry.partition, entry.offset): (entry.key, entry.value) for entry in journal.sent}
    assert letters.keys() == bad.keys()
    for place, reason in bad.items():
        letter, record = letters[place], records[f"{world.prefix}trip-events/{place[0]}/{place[1]}".encode()]
        assert (letter["key"], letter["value"]) == sent[place] == (record.key, record.value)
        assert tuple(zip(letter["header_names"], letter["header_values"], strict=True)) == HEADERS == record.headers[:3]
        assert letter["reason"] == reason.value == dict(record.headers)[REASON].decode()
        assert dict(record.headers)[DETAIL] == letter["detail"].encode()
