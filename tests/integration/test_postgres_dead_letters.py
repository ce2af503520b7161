"""Dead letters are listed, shown and replayed: byte for byte, and once."""

import asyncio
import json
import uuid
from collections.abc import AsyncIterator

import pytest
from aiokafka import AIOKafkaConsumer, ConsumerRecord
from typer.testing import CliRunner

from adapters.environment.settings import PostgresSettings
from adapters.postgres.admin.dead_letters import DeadLetters
from adapters.postgres.connection.pool import Pool, open_pool
from adapters.postgres.stream.store import Streams
from cli.bootstrap import create_topics
from cli.commands.dead_letters import app
from cli.settings import OperatorSettings
from domain.entities.rejections import Reason, StoredDeadLetter
from domain.entities.streams import StreamSource
from domain.errors import BrokerUnreachable, InvalidInput
from schemas.headers import REPLAY_OF
from tests.batches import Poison, Refusals, Start, batch_of, letter


async def _fill(pool: Pool) -> None:
    """Offsets 0 and 1 are not JSON, offset 3 contradicts offset 2."""
    store = Streams(pool)
    source_id = await store.register(StreamSource("cluster", "trip-events", uuid.uuid4()))
    await store.open_partition(source_id, 0, 0)
    await store.write(source_id, batch_of([Poison(), Poison(), Start("a"), Start("a", minute=3)]), Refusals())


@pytest.fixture
async def pool(database: str) -> AsyncIterator[Pool]:
    pool = await open_pool(PostgresSettings(database=database))
    await _fill(pool)
    yield pool
    await pool.close()


async def test_a_dead_letter_is_kept_byte_for_byte(pool: Pool) -> None:
    newest = await DeadLetters(pool).newest()
    assert [stored.origin for stored in newest] == ["trip-events/0/3", "trip-events/0/1", "trip-events/0/0"]
    assert newest[1].letter == letter(0, 1)


async def test_text_that_postgres_cannot_hold_does_not_stop_a_batch(pool: Pool) -> None:
    store = Streams(pool)
    poison = batch_of([Poison()], {0: 4})
    [one] = poison.dead_letters
    object.__setattr__(one, "detail", "id \x00 \ud800")
    object.__setattr__(one, "headers", (("na\x00me", b"\x00"),))
    await store.write(1, poison, Refusals())
    [stored] = await DeadLetters(pool).newest(limit=1)
    assert stored.letter.headers == (("na\ufffdme", b"\x00"),)


async def test_letters_are_chosen_by_reason_and_counted(pool: Pool) -> None:
    letters = DeadLetters(pool)
    assert await letters.counts() == {"invalid_json": 2, "contradicts_stored": 1}
    assert len(await letters.newest(Reason.INVALID_JSON)) == 2
    assert len(await letters.choose(reason=Reason.CONTRADICTS_STORED)) == 1
    with pytest.raises(InvalidInput, match="no dead letter 999"):
        await letters.get(999)


async def test_a_letter_is_replayed_once_unless_asked_again(pool: Pool) -> None:
    letters, published = DeadLetters(pool), list[StoredDeadLetter]()

    async def publish(stored: StoredDeadLetter) -> None:
        published.append(stored)

    [first, *_] = await letters.choose()
    assert await letters.replay(first, publish)
    assert not await letters.replay(first, publish)
    assert len(await letters.choose()) == 2
    assert await letters.replay(first, publish, again=True)
    assert len(published) == 2
    assert (await letters.get(first)).replayed_at is not None


async def test_two_replays_at_once_publish_once(pool: Pool) -> None:
    letters, published = DeadLetters(pool), list[StoredDeadLetter]()
    publishing, go_on = asyncio.Event(), asyncio.Event()

    async def publish(stored: StoredDeadLetter) -> None:
        published.append(stored)
        publishing.set()
        await go_on.wait()

    [first, *_] = await letters.choose()
    one = asyncio.create_task(letters.replay(first, publish))
    await publishing.wait()
    two = asyncio.create_task(letters.replay(first, publish))
    await _someone_waits_for_a_lock(pool)
    go_on.set()
    assert sorted([await one, await two]) == [False, True]
    assert len(published) == 1


async def _someone_waits_for_a_lock(pool: Pool) -> None:
    waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    async with asyncio.timeout(10):
        while not await pool.fetchval(waiting):  # noqa: ASYNC110 - the server tells nobody
            await asyncio.sleep(0)


async def test_a_replay_that_kafka_did_not_take_is_not_marked(pool: Pool) -> None:
    letters = DeadLetters(pool)

    async def publish(stored: StoredDeadLetter) -> None:
        raise BrokerUnreachable("away")

    [first, *_] = await letters.choose()
    with pytest.raises(BrokerUnreachable):
        await letters.replay(first, publish)
    assert (await letters.get(first)).replayed_at is None


def test_the_command_replays_to_kafka_byte_for_byte(
    database: str, kafka_address: str, topic_prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"DATABASE": database, "KAFKA": kafka_address, "TOPIC_PREFIX": topic_prefix}.items():
        monkeypatch.setenv(f"TRIPCAST_{name}", value)
    asyncio.run(_prepare(database))
    assert _invoke("replay", "--reason", "invalid_json", "--json") == {"replayed": 2, "already_replayed": 0}
    assert _invoke("replay", "--all", "--json") == {"replayed": 1, "already_replayed": 2}
    records = asyncio.run(_read(kafka_address, f"{topic_prefix}trip-events", 3))
    original = letter(0, 0)
    assert [(record.key, record.value) for record in records] == [(original.key, original.value)] * 3
    origins = {dict(record.headers)[REPLAY_OF] for record in records}
    assert origins == {b"trip-events/0/0", b"trip-events/0/1", b"trip-events/0/3"}
    assert all(record.headers[:2] == original.headers for record in records)


async def _prepare(database: str) -> None:
    await create_topics(OperatorSettings.read())
    pool = await open_pool(PostgresSettings(database=database))
    await _fill(pool)
    await pool.close()


def _invoke(*arguments: str) -> object:
    result = CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return json.loads(result.stdout)


async def _read(kafka_address: str, topic: str, count: int) -> list[ConsumerRecord]:
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=kafka_address, auto_offset_reset="earliest")
    await consumer.start()
    try:
        async with asyncio.timeout(20):
            return [await consumer.getone() for _ in range(count)]
    finally:
        await consumer.stop()
