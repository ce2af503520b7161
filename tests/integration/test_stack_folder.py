"""The data folder: one stack at a time, kept ports and passwords, and leftovers told apart from strangers."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.environment.settings import KafkaSettings
from cli.embedded.ports import free_ports, is_free
from cli.stack.folder import DataFolder
from cli.stack.leftovers import MARKER, reap
from domain.errors import InvalidInput, StackRunning

FOREVER = "import signal; signal.pause()"
Child = subprocess.Popen[Any]


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder(tmp_path / "data")


@pytest.fixture
def spawned() -> Iterator[list[Child]]:
    processes: list[Child] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


def start(spawned: list[Child], marker: str | None) -> Child:
    environment = {**os.environ, **({MARKER: marker} if marker else {})}
    spawned.append(subprocess.Popen([sys.executable, "-c", FOREVER], env=environment))
    return spawned[-1]


def test_a_second_stack_on_the_same_folder_is_refused_and_told_who_runs(folder: DataFolder) -> None:
    with folder.locked(), pytest.raises(StackRunning, match=str(os.getpid())), DataFolder(folder.path).locked():
        pytest.fail("two stacks on one folder")


def test_the_folder_is_free_again_when_its_holder_was_killed(folder: DataFolder, spawned: list[Child]) -> None:
    script = f"""
from pathlib import Path; from cli.stack.folder import DataFolder; import signal
with DataFolder(Path({str(folder.path)!r})).locked(): print('held', flush=True); signal.pause()
"""
    holder = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with holder:
        spawned.append(holder)
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(StackRunning, match=str(holder.pid)), folder.locked():
            pytest.fail("held by somebody else")
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with folder.locked():
            pass


def test_a_folder_that_cannot_be_created_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInput, match="cannot be created"), DataFolder(tmp_path / "file" / "data").locked():
        pytest.fail("a folder below a file")


def test_ports_and_passwords_are_chosen_once_and_kept(folder: DataFolder) -> None:
    port, password = folder.port("kafka"), folder.secrets.password("tripcast")
    again = DataFolder(folder.path)
    assert (again.port("kafka"), again.secrets.password("tripcast")) == (port, password)
    assert again.port("mlflow") != port


def test_a_port_chosen_anew_is_kept_from_then_on(folder: DataFolder) -> None:
    old = folder.port("kafka")
    new = folder.choose_port_anew("kafka")
    assert folder.port("kafka") == new
    assert new != old


def test_other_commands_find_the_stack_by_the_file_that_it_leaves(folder: DataFolder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRIPCAST_KAFKA", raising=False)
    folder.publish({"TRIPCAST_KAFKA": "127.0.0.1:23456"})
    assert KafkaSettings.read(data=folder.path).kafka == "127.0.0.1:23456"
    assert (folder.path / "stack.env").stat().st_mode & 0o777 == 0o600


def test_leftovers_are_stopped_and_strangers_are_not(folder: DataFolder, spawned: list[Child], tmp_path: Path) -> None:
    ours = start(spawned, folder.marker)
    of_another_folder = start(spawned, DataFolder(tmp_path / "other").marker)
    stranger = start(spawned, None)
    assert len(reap(folder.marker)) == 1
    assert ours.poll() is not None
    assert of_another_folder.poll() is None
    assert stranger.poll() is None


def test_a_leftover_that_does_not_listen_is_killed(
    folder: DataFolder, spawned: list[Child], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.stack.leftovers.GRACE_SECONDS", 0.2)
    deaf = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); signal.pause()"
    environment = {**os.environ, MARKER: folder.marker}
    process = subprocess.Popen([sys.executable, "-c", deaf], env=environment, stdout=subprocess.PIPE, text=True)
    with process:
        spawned.append(process)
        assert process.stdout is not None
        process.stdout.readline()
        reap(folder.marker)
        assert process.poll() is not None


def test_a_copied_folder_does_not_claim_the_processes_of_the_original(folder: DataFolder, tmp_path: Path) -> None:
    marker = folder.marker
    copy = DataFolder(tmp_path / "copy")
    copy.path.mkdir()
    (copy.path / "stack.json").write_text((folder.path / "stack.json").read_text())
    assert copy.marker != marker


def test_free_ports_are_distinct_and_outside_the_range_of_outgoing_connections() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    assert all(is_free(port) and port < 32_768 for port in ports)
