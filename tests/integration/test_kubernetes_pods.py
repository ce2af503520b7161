"""The pods of deploy/kubernetes with their own variables and secrets, against real servers: logins and keys fit together."""

import asyncio
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import asyncpg
import httpx
import psycopg2
import pytest
from pydantic import SecretStr

from adapters.environment.database_addresses import with_password
from cli.embedded.bootstrap import embedded_postgres
from cli.embedded.ports import HOST, free_ports
from cli.embedded.postgres import SUPERUSER
from cli.embedded.secrets import Secrets
from tests.clusters.manifests import sources
from tests.clusters.pods import Node, literals, made_secrets

PREFIX = "pods."


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory, kafka_address: str) -> Iterator[Node]:
    """An empty PostgreSQL whose administrator has the password that `secrets.sh` was given, and the tests' Kafka."""
    folder = tmp_path_factory.mktemp("pods")
    server = embedded_postgres(folder / "data", folder / "log", free_ports(1)[0], Secrets(folder / "secrets.env"))
    server.prepare()
    cluster = sources("overlays/local")
    maps = literals(cluster)
    local = next(each for each in cluster.of("ConfigMap") if each["data"].get("TRIPCAST_API_ENVIRONMENT"))
    maps["tripcast-settings"] = {
        **cluster.settings(),
        **local["data"],
        "TRIPCAST_KAFKA": kafka_address,
        "TRIPCAST_TOPIC_PREFIX": PREFIX,
        "TRIPCAST_MLFLOW": f"http://{HOST}:9",
        **{f"TRIPCAST_{role}_HOST": HOST for role in ("WORKER", "API", "TRAINER", "BOARD")},
    }
    maps["tripcast-addresses"] = {
        "DATABASE_SERVER": f"{HOST}:{server.port}",
        "DATABASE_OPTIONS": "?sslmode=disable",
        "DATABASE_ADMIN": SUPERUSER,
    }
    with server.part():
        yield Node(cluster, maps, made_secrets(ADMIN_PASSWORD=server.secrets.password(SUPERUSER)), folder)


@pytest.fixture(scope="module")
def prepared(node: Node) -> Node:
    job = node.start("prepare")
    assert job.wait(120) == 0, node.log("prepare")
    return node


def test_the_job_prepares_an_empty_server_and_says_no_secret(prepared):
    said = prepared.log("prepare")
    assert not [value for secret in prepared.secrets.values() for value in secret.values() if value in said]
    assert f"topic {PREFIX}trip-events: created" in said


@pytest.mark.parametrize(
    ("role", "setting", "user"),
    [
        ("worker", "TRIPCAST_DATABASE", "tripcast_app_worker"),
        ("trainer", "TRIPCAST_DATABASE", "tripcast"),
        ("history", "TRIPCAST_DATABASE", "tripcast"),
        ("api", "TRIPCAST_DATABASE", "tripcast_app_api"),
        ("api", "TRIPCAST_BOARD_DATABASE", "tripcast_app_board"),
    ],
)
async def test_each_role_logs_in_as_itself(prepared, role, setting, user):
    connection = await asyncpg.connect(address(prepared.environment(role), setting))
    try:
        assert await connection.fetchval("select current_user") == user
    finally:
        await connection.close()


def address(environment: Mapping[str, str], setting: str) -> str:
    password = Path(environment["TRIPCAST_SECRETS"], f"{setting.lower()}_password").read_text()
    return with_password(setting, SecretStr(environment[setting]), SecretStr(password))


def test_mlflow_logs_in_by_the_variable_of_its_driver(prepared, monkeypatch):
    environment = prepared.environment("mlflow")
    monkeypatch.setenv("PGPASSWORD", environment["PGPASSWORD"])
    connection = psycopg2.connect(environment["MLFLOW_BACKEND_STORE_URI"].replace("+psycopg2", ""))
    with connection, connection.cursor() as cursor:
        cursor.execute("select current_user, current_database()")
        assert cursor.fetchone() == ("mlflow", "mlflow")
    connection.close()


async def test_worker_and_api_come_up_and_the_boards_key_opens_the_api(prepared):
    worker_port, api_port = free_ports(2)
    roles = [
        prepared.start("worker", TRIPCAST_WORKER_PORT=str(worker_port)),
        prepared.start("api", TRIPCAST_API_PORT=str(api_port), TRIPCAST_API_WORKERS=f"http://{HOST}:{worker_port}"),
    ]
    try:
        ready = await answer(
            f"http://{HOST}:{worker_port}/readyz", roles, lambda it: list(it.json()["missing"]) == ["champion"]
        )
        assert ready.status_code == 503  # nothing has been trained here, and all else is there
        key = {"Authorization": f"Bearer {prepared.secrets['tripcast-keys']['board']}"}
        health = f"http://{HOST}:{api_port}/health"
        known = await answer(health, roles, lambda it: it.status_code == 200 and checks(it)["database"], headers=key)
        assert checks(known)["prediction_log"]
        assert (await answer(health, roles, lambda it: it.status_code < 500)).status_code == 401
    finally:
        for role in roles:
            role.terminate()
        assert [await asyncio.to_thread(role.wait, 20) for role in roles] == [0, 0]


def checks(answered: httpx.Response) -> dict[str, bool]:
    return {check["name"]: check["ok"] for check in answered.json()["checks"]}


async def answer(
    url: str,
    roles: "list[subprocess.Popen[bytes]]",
    fits: Callable[[httpx.Response], bool],
    headers: dict[str, str] | None = None,
) -> httpx.Response:
    """The first answer that fits, of processes that run."""
    until, last = time.monotonic() + 60, ""
    async with httpx.AsyncClient(trust_env=False, timeout=5) as client:
        while time.monotonic() < until:
            assert [role.poll() for role in roles] == [None] * len(roles)
            try:
                got = await client.get(url, headers=headers)
                last = got.text
                if fits(got):
                    return got
            except httpx.TransportError as error:
                last = repr(error)
            await asyncio.sleep(0.1)
    raise AssertionError(f"{url}: {last}")
