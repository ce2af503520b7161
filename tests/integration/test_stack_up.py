"""A whole local stack as a real process: it starts, stops without a trace, survives being killed, and tolerates no second."""

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import psutil
import pytest

from adapters.environment.settings import PostgresSettings
from cli.stack.folder import DataFolder
from cli.stack.leftovers import MARKER, reap

READY = "/metrics"  # the last of the addresses, which are printed when the worker is up
ROOT = Path(__file__).parents[2]


class Stack:
    """One `up` on a folder. MLflow comes from elsewhere, so that a start takes seconds."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = DataFolder(folder)
        self.environment = {**os.environ, "TRIPCAST_MLFLOW": "http://127.0.0.1:9", **environment}
        self.output: list[str] = []
        self.process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.integration.stand_in_stack", str(self.folder.path)],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def wait_until_up(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output.append(line)
            if READY in line:
                return
        raise AssertionError("".join(self.output))

    def end(self, number: signal.Signals) -> int:
        self.process.send_signal(number)
        rest, _ = self.process.communicate()
        self.output.append(rest)
        return self.process.returncode

    def family(self) -> set[int]:
        """The processes that carry this folder's marker."""
        return {process.pid for process in psutil.process_iter() if self._is_ours(process)}

    def _is_ours(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARKER) == self.folder.marker
        except (psutil.Error, OSError):
            return False


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    if (tmp_path / "data").exists():
        reap(DataFolder(tmp_path / "data").marker)


def query(folder: Path, sql: str) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(PostgresSettings.read(data=folder).database.get_secret_value())
        try:
            return await connection.fetchval(sql)
        finally:
            await connection.close()

    return asyncio.run(run())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_stack_leaves_no_process(folder: Path, number: signal.Signals) -> None:
    stack = Stack(folder)
    stack.wait_until_up()
    assert len(stack.family()) >= 3
    assert stack.end(number) == 0
    assert stack.family() == set()
    assert "stopped" in stack.output[-1]


def test_a_killed_stack_is_followed_by_one_that_finds_its_data(folder: Path) -> None:
    killed = Stack(folder)
    killed.wait_until_up()
    query(folder, "create table kept as select 42 as answer")
    for pid in killed.family():
        os.kill(pid, signal.SIGSTOP)  # so that nobody can end by himself when the parent dies
    killed.end(signal.SIGKILL)
    assert killed.family()
    again = Stack(folder)
    again.wait_until_up()
    assert "stopped what a killed stack had left running" in again.output[0]
    assert query(folder, "select answer from kept") == 42
    assert again.end(signal.SIGINT) == 0
    assert again.family() == set()


def test_a_second_stack_on_the_same_folder_is_refused(folder: Path) -> None:
    first = Stack(folder)
    first.wait_until_up()
    family = first.family()
    second = Stack(folder)
    output, _ = second.process.communicate()
    assert second.process.returncode == 1
    assert output.startswith("StackRunning")
    assert str(first.process.pid) in output
    assert first.family() == family
    first.end(signal.SIGTERM)


def test_a_kafka_of_ones_own_replaces_the_embedded_one(folder: Path, kafka_address: str) -> None:
    stack = Stack(folder, TRIPCAST_KAFKA=kafka_address)
    stack.wait_until_up()
    assert any(kafka_address in line for line in stack.output)
    assert not (folder / "kafka").exists()
    assert stack.end(signal.SIGTERM) == 0


def test_a_killed_part_comes_back(folder: Path) -> None:
    stack = Stack(folder)
    stack.wait_until_up()
    [postgres] = [pid for pid in stack.family() if psutil.Process(pid).name() == "postgres" and _is_leader(pid)]
    os.kill(postgres, signal.SIGKILL)
    assert stack.process.stdout is not None
    assert next(line for line in stack.process.stdout if line.startswith("PostgreSQL died"))
    assert next(line for line in stack.process.stdout if line.startswith("PostgreSQL ready"))
    assert query(folder, "select 1") == 1
    assert stack.end(signal.SIGTERM) == 0


def _is_leader(pid: int) -> bool:
    parent = psutil.Process(pid).parent()
    return parent is not None and parent.name() != "postgres"
