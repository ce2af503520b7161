"""The embedded Kafka, PostgreSQL and MLflow are the real ones, and the fixtures give what they promise."""

import asyncpg
import httpx
import pytest
from aiokafka.client import AIOKafkaClient

from adapters.kafka.broker import Broker
from adapters.kafka.probe import broker_answers
from adapters.postgres.admin.local_server import database_answers
from cli.embedded.mlflow import http_ok
from cli.embedded.ports import free_ports
from cli.embedded.postgres import WORKER, EmbeddedPostgres


async def test_the_broker_answers_and_creates_no_topic_by_itself(kafka_address: str, topic_prefix: str) -> None:
    assert await broker_answers(Broker(kafka_address))
    client = AIOKafkaClient(bootstrap_servers=kafka_address)
    await client.bootstrap()
    try:
        await client.add_topic(f"{topic_prefix}nobody-created-me")
        metadata = await client.fetch_all_metadata()
        assert f"{topic_prefix}nobody-created-me" not in metadata.topics()
    finally:
        await client.close()


async def test_a_broker_that_is_not_there_gives_false_and_no_error() -> None:
    assert not await broker_answers(Broker(f"127.0.0.1:{free_ports(1)[0]}"), seconds=0.5)


async def test_each_test_has_an_empty_migrated_database(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        assert await connection.fetchval("select count(*) from trips") == 0
        assert await connection.fetchval("show fsync") == "on"
        assert await connection.fetchval("show synchronous_commit") == "on"
    finally:
        await connection.close()


async def test_a_wrong_password_is_refused(database: str, postgres_server: EmbeddedPostgres) -> None:
    wrong = database.replace(postgres_server.secrets.password("tripcast"), "wrong")
    assert wrong != database
    assert not await database_answers(wrong)


async def test_the_worker_may_add_trips_but_not_change_them(database: str, postgres_server: EmbeddedPostgres) -> None:
    connection = await asyncpg.connect(postgres_server.address(WORKER, database.rpartition("/")[2]))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("update trips set vendor_id = 1")
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute("delete from predictions")
    finally:
        await connection.close()


def test_passwords_are_readable_by_their_owner_alone(postgres_server: EmbeddedPostgres) -> None:
    assert postgres_server.secrets.path.stat().st_mode & 0o777 == 0o600


def test_mlflow_answers_from_postgresql(mlflow_address: str) -> None:
    assert http_ok(f"{mlflow_address}/health")
    assert http_ok(f"{mlflow_address}/api/2.0/mlflow/registered-models/search")


@pytest.mark.parametrize(("host", "status"), [("", 200), ("localhost:5000", 200), ("registry.example", 403), ("10.0.0.7", 403)])
def test_mlflow_answers_to_names_of_this_machine_alone(mlflow_address: str, host: str, status: int) -> None:
    headers = {"Host": host} if host else {}
    assert httpx.get(f"{mlflow_address}/api/2.0/mlflow/registered-models/search", headers=headers).status_code == status
