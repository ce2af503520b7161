"""Encryption and logins, against a real broker that asks for them: every client of Kafka that we have, and every refusal."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.environment.settings import KafkaSettings
from adapters.kafka.broker import Broker, may_pass
from adapters.kafka.consumer import EventConsumer
from adapters.kafka.lifecycle import announce, listening
from adapters.kafka.probe import partition_counts, reach
from adapters.kafka.producer import RecordProducer
from adapters.kafka.topic_ends import EndsOfTopic
from adapters.kafka.topics import end_offsets, ensure_topics, log_start_offsets, topic_source
from cli.embedded.ports import HOST
from domain.entities.models import LifecycleEvent
from domain.errors import BrokerUnreachable, InvalidInput
from tests.running import events_of, world_of
from tests.secure_kafka import PASSWORD, USER, SecureKafka, secure_kafka
from tests.trips import random_trips

SECONDS = 5.0


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecureKafka]:
    with secure_kafka(tmp_path_factory.mktemp("secure")) as running:
        yield running


async def _consumed(broker: Broker, topic: str, group: str) -> list[bytes]:
    consumer = EventConsumer(broker, topic, group)
    await consumer.open()
    try:
        async with asyncio.timeout(30):
            while not consumer.assigned:
                await consumer.changed.wait()
                consumer.changed.clear()
            for number in consumer.assigned:
                consumer.seek(number, 0)
            found: list[bytes] = []
            while not found:
                fetched = await consumer.fetch(sorted(consumer.assigned), 10, 1.0)
                found = [record.value for records in fetched.values() for record in records]
        return found
    finally:
        await consumer.close()


async def test_every_client_gets_in_with_a_login_over_tls(kafka: SecureKafka, topic_prefix: str) -> None:
    settings = kafka.settings(topic_prefix=topic_prefix, partitions=1)
    broker, topic, lifecycle = Broker.of(settings), f"{topic_prefix}trip-events", f"{topic_prefix}model-lifecycle"
    await reach(broker, SECONDS)
    assert topic in await ensure_topics(settings)
    async with RecordProducer(broker) as producer:
        await producer.send(topic, b"key", b"value")
    assert await _consumed(broker, topic, f"{topic_prefix}group") == [b"value"]
    assert await end_offsets(broker, topic) == {0: 1}
    assert await log_start_offsets(broker, topic) == {0: 0}
    assert (await partition_counts(broker, [topic]))[topic] == 1
    ends = EndsOfTopic(broker, topic, SECONDS)
    assert (await ends()).source == await topic_source(broker, topic)
    await ends.close()
    await announce(broker, lifecycle, LifecycleEvent("drift.alarm", "s", "a", "r", datetime.now(UTC), {}))
    async with listening(broker, lifecycle, f"{topic_prefix}trainer") as messages:
        message, _ = await anext(messages)
    assert message.kind == "drift.alarm"


async def test_encryption_alone_and_certificates_on_both_sides(kafka: SecureKafka) -> None:
    await reach(Broker.of(kafka.by_tls()), SECONDS)
    await reach(Broker.of(kafka.by_tls(kafka=f"localhost:{kafka.both}", kafka_certificate=kafka.client)), SECONDS)


async def test_a_worker_gets_in_with_its_password_in_a_file(
    kafka: SecureKafka, database: str, topic_prefix: str, tmp_path: Path
) -> None:
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "tripcast_kafka_password").write_text(f"{PASSWORD}\n")
    (secrets / "tripcast_kafka_user").write_text(USER)
    access = {"TRIPCAST_KAFKA_SECURITY": "SASL_SSL", "TRIPCAST_KAFKA_CA": str(kafka.authority)}
    where = {"TRIPCAST_KAFKA": f"localhost:{kafka.login}", "TRIPCAST_SECRETS": str(secrets)}
    async with world_of(kafka.plain, database, topic_prefix, tmp_path) as world:
        await world.publish(events_of(random_trips(20))[0])
        with world.worker(**access, **where) as worker:
            await world.drained()
            assert worker.health("readyz") == (200, {"ready": True, "missing": {}})
    assert await world.count("predictions") == 20
    assert PASSWORD not in worker.log.read_text()


async def _refusal(settings: KafkaSettings, *, passing: bool = False) -> str:
    """The same for who asks and for who publishes; within seconds."""
    with pytest.raises(BrokerUnreachable) as asked:
        await reach(Broker.of(settings), SECONDS)
    with pytest.raises(BrokerUnreachable) as published:
        async with RecordProducer(Broker.of(settings), deadline_seconds=SECONDS):
            pass
    assert may_pass(asked.value) is passing
    why = str(asked.value).partition(": ")[2]
    assert why in str(published.value)
    return why


async def test_a_wrong_password_is_said_and_not_told(kafka: SecureKafka) -> None:
    why = await _refusal(kafka.settings(kafka_password="falsch"))
    assert why == "it refuses TRIPCAST_KAFKA_USER with TRIPCAST_KAFKA_PASSWORD"


async def test_another_authority_is_refused_and_the_setting_named(kafka: SecureKafka) -> None:
    assert "set TRIPCAST_KAFKA_CA" in await _refusal(kafka.settings(kafka_ca=kafka.stranger))


async def test_an_authority_that_the_system_does_not_know_is_refused(kafka: SecureKafka) -> None:
    assert "set TRIPCAST_KAFKA_CA" in await _refusal(kafka.settings(kafka_ca=None))


async def test_another_name_is_refused_and_said(kafka: SecureKafka) -> None:
    assert "its certificate is not for this name" in await _refusal(kafka.settings(kafka=f"{HOST}:{kafka.login}"))


async def test_a_plain_client_at_an_encrypted_port_is_told_what_to_look_at(kafka: SecureKafka) -> None:
    why = await _refusal(KafkaSettings.read(kafka=f"localhost:{kafka.login}"), passing=True)
    assert "is TRIPCAST_KAFKA_SECURITY=PLAINTEXT what this port expects?" in why


async def test_an_encrypting_client_at_a_plain_port_is_told_what_to_look_at(kafka: SecureKafka) -> None:
    plain = kafka.plain.replace("127.0.0.1", "localhost")
    why = await _refusal(kafka.by_tls(kafka=plain), passing=True)
    assert "is TRIPCAST_KAFKA_SECURITY=SSL what this port expects?" in why


async def test_a_mechanism_that_is_not_offered_is_named(kafka: SecureKafka) -> None:
    assert "it does not offer TRIPCAST_KAFKA_SASL=PLAIN" in await _refusal(kafka.settings(kafka_sasl="PLAIN"))


async def test_a_port_that_asks_for_a_certificate_is_told_of(kafka: SecureKafka) -> None:
    assert "TRIPCAST_KAFKA_CERTIFICATE" in await _refusal(kafka.by_tls(kafka=f"localhost:{kafka.both}"))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"kafka_user": ""}, "needs TRIPCAST_KAFKA_USER and TRIPCAST_KAFKA_PASSWORD"),
        ({"kafka_security": "SSL"}, "TRIPCAST_KAFKA_USER is set"),
        ({"kafka_security": "SASL_PLAINTEXT", "kafka_ca": Path(__file__)}, "does not encrypt"),
        ({"kafka_key": Path("/nowhere")}, "needs TRIPCAST_KAFKA_CERTIFICATE"),
        ({"kafka_ca": Path("/nowhere/ca.pem")}, "TRIPCAST_KAFKA_CA: there is no file /nowhere/ca.pem"),
        ({"kafka_ca": Path(__file__)}, "cannot be used"),
    ],
)
def test_settings_that_do_not_fit_together_are_refused_before_anything_is_sent(changes: dict[str, object], named: str) -> None:
    right = {"kafka_security": "SASL_SSL", "kafka_user": "u", "kafka_password": PASSWORD}
    with pytest.raises(InvalidInput, match=named) as raised:
        Broker.of(KafkaSettings.read(**(right | changes))).options()
    assert PASSWORD not in str(raised.value)


def test_no_form_of_the_value_shows_the_password() -> None:
    settings = KafkaSettings.read(kafka_security="SASL_SSL", kafka_user="u", kafka_password=PASSWORD)
    assert PASSWORD not in f"{Broker.of(settings)!r} {Broker.of(settings)} {settings!r}"
