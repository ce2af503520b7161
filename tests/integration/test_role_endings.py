"""How roles end: the exit code and the last line are all that whoever restarts them has."""

import asyncio
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.postgres.admin.local_server import drop_database, ensure_database
from cli.embedded.mlflow import http_ok
from cli.embedded.ports import HOST, free_ports
from cli.embedded.postgres import OWNER, EmbeddedPostgres
from tests.running import REPOSITORY, until

NOBODY = f"{HOST}:9"
SECONDS = 60


@pytest.fixture
def empty_database(postgres_server: EmbeddedPostgres) -> Iterator[str]:
    """Of the owner, without a table."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    ensure_database(postgres_server.admin, name, owner=OWNER)
    yield postgres_server.address(OWNER, name)
    asyncio.run(drop_database(postgres_server.admin, name))


def _role(name: str, folder: Path, **settings: str) -> "subprocess.Popen[str]":
    settings = {"DATA": str(folder), "KAFKA": NOBODY, "MLFLOW": f"http://{NOBODY}", **settings}
    environment = {**os.environ, **{f"TRIPCAST_{key}": value for key, value in settings.items()}}
    command = [sys.executable, "-P", "-m", "cli", name]
    return subprocess.Popen(
        command, cwd=REPOSITORY, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


def _end_of(process: "subprocess.Popen[str]") -> str:
    """What it had said when it ended by itself."""
    with process:
        try:
            return process.communicate(timeout=SECONDS)[0]
        finally:
            process.kill()


def test_a_trainer_without_tables_says_so(empty_database: str, tmp_path: Path) -> None:
    process = _role("trainer", tmp_path, DATABASE=empty_database, TRAINER_PORT=str(free_ports(1)[0]))
    said = _end_of(process)
    assert (process.returncode, "Traceback" in said) == (11, False), said[-2000:]
    assert "tripcast migrate" in said


async def test_a_board_that_is_told_to_stop_has_ended_well(tmp_path: Path) -> None:
    port = free_ports(1)[0]
    process = _role("dashboard", tmp_path, BOARD_PORT=str(port), API=f"http://{NOBODY}")

    async def lives() -> bool:
        assert process.poll() is None
        return http_ok(f"http://{HOST}:{port}/livez")

    await until(lives)
    process.send_signal(signal.SIGTERM)
    said = _end_of(process)
    assert (process.returncode, "Traceback" in said) == (0, False), said[-2000:]
