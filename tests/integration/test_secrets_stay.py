"""No password, key or token is in a log line, an answer, a metric or what a command prints, also where all fails."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import httpx
import psutil
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from cli.embedded.ports import HOST, free_ports
from cli.embedded.postgres import API, WORKER, EmbeddedPostgres
from cli.exit_codes import EXIT_CODES
from cli.main import app
from cli.settings import roles
from tests.api_process import put_model
from tests.running import DEADLINE_SECONDS, REPOSITORY, until

SECRET = "Geheim-4711"
NOWHERE = f"{HOST}:9"
GETS = (
    "/",
    "/health",
    "/metrics",
    "/model/info",
    "/snapshot",
    "/system",
    "/readyz",
    "/models",
    "/nowhere",
    f"/?api_key={SECRET}",
)


def secrets() -> dict[str, str]:
    """A value that can be told for each setting that is one; new ones of any role are among them by themselves."""
    fields = {name: info for kind in roles().values() for name, info in kind.model_fields.items()}
    found = [name for name, info in fields.items() if SecretStr.__name__ in str(info.annotation)]
    return {f"TRIPCAST_{name.upper()}": f"{SECRET}-{name}" for name in found}


def settings_of(server: EmbeddedPostgres, folder: Path) -> dict[str, str]:
    """Everything is set, nothing works: the passwords are wrong, and Kafka and MLflow are away."""
    wrong = f"postgresql://{{}}:{SECRET}-dsn@{HOST}:{server.port}/tripcast?application_name=x"
    return secrets() | {
        "TRIPCAST_DATABASE": wrong.format(WORKER),
        "TRIPCAST_BOARD_DATABASE": wrong.format(API),
        "TRIPCAST_ADMIN_DATABASE": wrong.format("postgres"),
        "TRIPCAST_MLFLOW": f"http://somebody:{SECRET}-mlflow@{NOWHERE}",
        "TRIPCAST_WEBHOOK": f"http://{NOWHERE}/{SECRET}-webhook",
        "TRIPCAST_KAFKA": NOWHERE,
        "TRIPCAST_KAFKA_SECURITY": "SASL_PLAINTEXT",
        "TRIPCAST_KAFKA_SASL": "PLAIN",
        "TRIPCAST_KAFKA_USER": "somebody",
        "TRIPCAST_API_TRAINER": f"http://{NOWHERE}",
        "TRIPCAST_API_WORKERS": f"http://{NOWHERE}",
        "TRIPCAST_CI_REPOSITORY": "owner/name",
        "TRIPCAST_CI_ADDRESS": f"http://{NOWHERE}",
        "TRIPCAST_DATA": str(folder / "data"),
        "TRIPCAST_LOG_LEVEL": "debug",
        "TRIPCAST_API_KEYS": "never",
        "TRIPCAST_API_RATE": "100000",
    }


@pytest.fixture
def surroundings(postgres_server: EmbeddedPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    monkeypatch.chdir(tmp_path)
    found = settings_of(postgres_server, tmp_path)
    for name, value in found.items():
        monkeypatch.setenv(name, value)
    return found


async def test_roles_for_which_everything_fails_tell_no_secret(surroundings: dict[str, str], tmp_path: Path) -> None:
    put_model(tmp_path / "data" / "models")
    ports = dict(zip(("api", "worker", "trainer", "board"), free_ports(4), strict=True))
    said = {role: tmp_path / f"{role}.log" for role in ports}
    surroundings["TRIPCAST_API"] = f"http://{HOST}:{ports['api']}"
    running = [_start(role, port, said[role], surroundings) for role, port in ports.items()]
    try:
        async with httpx.AsyncClient(timeout=10) as client:
            await until(lambda: _complains(client, ports))
            assert [_listens(process) for process in running] == [[(HOST, port)] for port in ports.values()]
            for port in ports.values():
                for path in GETS:
                    answer = await client.get(f"http://{HOST}:{port}{path}")
                    assert SECRET not in answer.text, (port, path)
                    assert SECRET not in str(answer.headers), (port, path)
    finally:
        for process in running:
            process.terminate()
        for process in running:
            process.wait(DEADLINE_SECONDS)
    for role, log in said.items():
        text = log.read_text()
        assert role == "board" or "postgres" in text.lower(), "it has tried"
        assert SECRET not in text, [line for line in text.splitlines() if SECRET in line][:3]


def _start(role: str, port: int, log: Path, settings: dict[str, str]) -> "subprocess.Popen[bytes]":
    command = {"board": "dashboard"}.get(role, role)
    own = {f"TRIPCAST_{role.upper()}_PORT": str(port), "TRIPCAST_LOG_FORMAT": "console" if role == "api" else "json"}
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "cli", command],
            cwd=REPOSITORY,
            env={**os.environ, **settings, **own},
            stdout=output,
            stderr=output,
        )


async def _complains(client: httpx.AsyncClient, ports: dict[str, int]) -> bool:
    """Whether each is up and says that it is not ready; the board, that it is alive."""
    paths = {role: "livez" if role == "board" else "readyz" for role in ports}
    try:
        answers = {role: (await client.get(f"http://{HOST}:{port}/{paths[role]}")).status_code for role, port in ports.items()}
    except httpx.TransportError:
        await asyncio.sleep(0.2)
        return False
    return answers == {"api": 503, "worker": 503, "trainer": 503, "board": 200}


def _listens(process: "subprocess.Popen[bytes]") -> list[tuple[str, int]]:
    """Where: Faust's own web server would be here too."""
    found = psutil.Process(process.pid).net_connections("inet")
    return sorted({(each.laddr.ip, each.laddr.port) for each in found if each.status == psutil.CONN_LISTEN})


@pytest.mark.parametrize(
    "command",
    [
        ["config"], ["config", "--json"], ["doctor"], ["doctor", "--json"], ["audit"], ["models"], ["keys", "list"],
        ["migrate"], ["dead-letters", "list"], ["quality"], ["history"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_command_for_which_everything_fails_tells_no_secret(surroundings: dict[str, str], command: list[str]) -> None:
    assert surroundings
    result = CliRunner().invoke(app, command)
    text = result.output + str(result.exception or "")
    assert SECRET not in text
    assert result.exception is None or isinstance(result.exception, (SystemExit, *EXIT_CODES)), text


def test_every_setting_that_sounds_like_a_secret_is_one() -> None:
    named = {name for kind in roles().values() for name in kind.model_fields if re.search("password|token|webhook|_key$", name)}
    plain = {f"TRIPCAST_{name.upper()}" for name in named} - secrets().keys()
    assert plain == {"TRIPCAST_KAFKA_KEY"}  # a file's name
