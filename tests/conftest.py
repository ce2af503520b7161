"""Real systems for the tests: Kafka, PostgreSQL and MLflow of the session, a database and a topic prefix of each test."""

import asyncio
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import hypothesis
import pytest

from adapters.postgres.admin.local_server import copy_database, drop_database, ensure_database
from cli.embedded.bootstrap import embedded_kafka, embedded_postgres
from cli.embedded.mlflow import EmbeddedMlflow
from cli.embedded.part import Embedded
from cli.embedded.ports import free_ports
from cli.embedded.postgres import MLFLOW, OWNER, EmbeddedPostgres
from cli.embedded.secrets import Secrets
from tests.chaos.outcome import tell_promises
from tests.chaos.report import PROPERTY

# How long an example takes says more about the machine than about the code; a test that hangs has its time limit.
hypothesis.settings.register_profile("tripcast", deadline=None)
hypothesis.settings.load_profile("tripcast")

TEMPLATE = "tripcast_template"
T = TypeVar("T")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell what tests have measured and must not assert, since it says as much about the machine as about the code."""
    reports = [report for report in terminalreporter.getreports("passed") if report.user_properties]
    if reports:
        terminalreporter.write_sep("=", "measured")
    for report in reports:
        for name, value in report.user_properties:
            if name != PROPERTY:
                terminalreporter.write_line(f"{report.nodeid.rpartition('::')[2]}: {name} = {value}")
    tell_promises(terminalreporter)


@pytest.fixture(scope="session")
def kafka_address(stack_folder: Path) -> Iterator[str]:
    """Bootstrap server of a real broker; topics are the tests' own, told apart by `topic_prefix`."""
    port, controller_port = free_ports(2)
    kafka = embedded_kafka(stack_folder / "kafka", stack_folder / "kafka.log", port, controller_port)
    yield from _running(kafka, kafka.address)


@pytest.fixture(scope="session")
def postgres_server(stack_folder: Path) -> Iterator[EmbeddedPostgres]:
    """A real server with the stack's users and databases; for tests that need more than one login."""
    server = embedded_postgres(
        stack_folder / "postgres", stack_folder / "postgres.log", free_ports(1)[0], Secrets(stack_folder / "secrets.env")
    )
    yield from _running(server, server)


@pytest.fixture(scope="session")
def postgres_admin(postgres_server: EmbeddedPostgres) -> str:
    """The superuser's address."""
    return postgres_server.admin


@pytest.fixture(scope="session")
def mlflow_address(stack_folder: Path, postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """A real MLflow server with its backend store in PostgreSQL."""
    store = postgres_server.address(MLFLOW, MLFLOW)
    mlflow = EmbeddedMlflow(stack_folder / "mlflow", stack_folder / "mlflow.log", free_ports(1)[0], store)
    yield from _running(mlflow, mlflow.address)


@pytest.fixture(scope="session")
def template_database(postgres_server: EmbeddedPostgres) -> str:
    """The name of a migrated, empty database to copy."""
    from adapters.postgres.admin.migrate import migrate

    ensure_database(postgres_server.admin, TEMPLATE, owner=OWNER)
    migrate(postgres_server.address(OWNER, TEMPLATE))
    return TEMPLATE


@pytest.fixture
def database(postgres_server: EmbeddedPostgres, template_database: str) -> Iterator[str]:
    """The owner's address of a fresh migrated database; dropped afterwards with whoever is still connected."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    asyncio.run(copy_database(postgres_server.admin, template_database, name, owner=OWNER))
    yield postgres_server.address(OWNER, name)
    asyncio.run(drop_database(postgres_server.admin, name))


@pytest.fixture
def topic_prefix() -> str:
    """Unique; goes before every topic name."""
    return f"test-{uuid.uuid4().hex[:12]}-"


@pytest.fixture(scope="session")
def stack_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the session's servers keep their data and logs."""
    return tmp_path_factory.mktemp("stack")


def _running(embedded: Embedded, value: T) -> Iterator[T]:
    embedded.prepare()
    with embedded.part():
        embedded.complete()
        yield value
