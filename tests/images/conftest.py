"""The image that was built, Kafka and PostgreSQL beside it, and the services of docker-compose.yml in cells."""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from cli.embedded import kafka as embedded_kafka_module
from cli.embedded import postgres as embedded_postgres_module
from cli.embedded.bootstrap import embedded_kafka, embedded_postgres
from cli.embedded.postgres import SUPERUSER
from cli.embedded.secrets import Secrets
from tests.images.cell import NETWORK, Cell, World
from tests.images.compose import ROOT, Service, services
from tests.images.engine import Image, environment_of

collect_ignore = [] if os.environ.get("IMAGES") else ["test_images.py"]  # run by `make images-test` only
PROPERTIES = ROOT / "deploy" / "kubernetes" / "components" / "local-servers" / "server.properties"


@pytest.fixture(scope="session")
def folder() -> Path:
    """Where `make images-test` keeps everything."""
    return Path(os.environ["IMAGES"])


@pytest.fixture(scope="session")
def about(folder: Path) -> dict[str, object]:
    """What the build told."""
    found: dict[str, object] = json.loads((folder / "image.json").read_text())
    return found


@pytest.fixture(scope="session")
def image(about: dict[str, object]) -> Image:
    """The image under test; the places that an engine makes for what it mounts are made here."""
    image = Image(Path(str(about["root"])), about["config"], int(str(about["bytes"])))  # type: ignore[arg-type]
    (image.root / "run" / "secrets").mkdir(parents=True, exist_ok=True)
    (image.root / "etc" / "hosts").touch()
    return image


@pytest.fixture(scope="session")
def secrets(folder: Path) -> Path:
    """Made by start.sh, as on a first start."""
    place = folder / "start"
    place.mkdir()
    for name in ("start.sh", ".env.example"):
        shutil.copy(ROOT / name, place / name)
    subprocess.run(["sh", str(place / "start.sh"), "secrets"], check=True, capture_output=True)
    return place / ".secrets"


@pytest.fixture(scope="session")
def shipped(secrets: Path) -> dict[str, Service]:
    """The services of docker-compose.yml, with the .env of a first start."""
    lines = (secrets.parent / ".env").read_text().splitlines()
    variables = dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))
    return services(variables)


@pytest.fixture(scope="session")
def kafka(folder: Path, monkeypatch_session: pytest.MonkeyPatch) -> Iterator[str]:
    """A broker with the properties that compose mounts, but for the folder of its log."""
    text = PROPERTIES.read_text().replace("log.dirs=/var/lib/kafka/data/log", "log.dirs={logs}")
    assert "{logs}" in text
    monkeypatch_session.setattr(embedded_kafka_module, "PROPERTIES", text)
    broker = embedded_kafka(folder / "kafka", folder / "kafka.log", 9092, 9093)
    broker.prepare()
    with broker.part():
        yield "kafka:9092"


@pytest.fixture(scope="session")
def postgres(folder: Path, secrets: Path, monkeypatch_session: pytest.MonkeyPatch) -> Iterator[str]:
    """A server with nothing but its superuser, whose password start.sh made; its address is that one's."""
    password = (secrets / "postgres_password").read_text()
    (folder / "server.env").write_text(f"{SUPERUSER}={password}\n")
    monkeypatch_session.setitem(embedded_postgres_module.CONFIGURATION, "listen_addresses", "*")
    server = embedded_postgres(folder / "server", folder / "postgres.log", 5432, Secrets(folder / "server.env"))
    server.prepare()
    for rules in (folder / "server").rglob("pg_hba.conf"):
        rules.write_text(f"{rules.read_text()}\nhost all all {NETWORK}.0/24 scram-sha-256\n")
    with server.part():
        yield server.admin


@pytest.fixture(scope="session")
def monkeypatch_session() -> Iterator[pytest.MonkeyPatch]:
    """For fixtures that live as long as the tests."""
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.fixture(scope="session")
def cells(folder: Path, image: Image, secrets: Path, kafka: str, postgres: str) -> Iterator[dict[str, Cell]]:
    """Every cell that a test has started, by name; those that still run are ended."""
    found: dict[str, Cell] = {}
    yield found
    for cell in found.values():
        cell.end()


@pytest.fixture(scope="session")
def world(folder: Path, image: Image, secrets: Path) -> World:
    """What the cells share."""
    return World(image.root, environment_of(image), folder / "hosts", secrets, folder)
