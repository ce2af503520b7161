"""`tripcast up --once` from a trips file to a clean audit: all processes, as a user starts them."""

import csv
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path
from subprocess import PIPE
from threading import Event, Thread

import numpy as np
import psutil
import pytest

from cli.stack.folder import DataFolder
from cli.stack.leftovers import MARKER
from tests.listeners import listening

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
GOOD, BAD = 2_000, 3
HEADER = ["id", "vendor_id", "pickup_datetime", "dropoff_datetime", "passenger_count", "pickup_longitude", "pickup_latitude"]
HEADER += ["dropoff_longitude", "dropoff_latitude", "store_and_fwd_flag", "trip_duration"]


@pytest.fixture
def trips(tmp_path: Path) -> Path:
    """Two thousand trips of about the speed of a taxi, and three that start in the sea."""
    random = np.random.default_rng(5)
    path = tmp_path / "trips.csv"
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for number in range(GOOD + BAD):
            longitudes, latitudes = random.uniform(-74.0, -73.8, 2), random.uniform(40.65, 40.85, 2)
            pickup = datetime(2016, 5, 2) + timedelta(minutes=2 * number)  # noqa: DTZ001 - the file's own naive city time
            seconds = int(120 + 15_000 * np.hypot(*(np.diff(longitudes), np.diff(latitudes)))[0] * random.lognormal(0, 0.2))
            if number >= GOOD:
                longitudes[0] = -70.0
            row = [f"id{number}", 1, pickup, pickup + timedelta(seconds=seconds), 1]
            writer.writerow([*row, longitudes[0], latitudes[0], longitudes[1], latitudes[1], "N", seconds])
    return path


class Listeners(Thread):
    """Where a process and those below it listen, seen every second until the block ends."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid, self._ended = pid, Event()
        self.found: set[tuple[str, int]] = set()

    def __enter__(self) -> "Listeners":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.join()

    def run(self) -> None:
        while not self._ended.wait(1):
            self.found |= listening(self._pid)


def test_a_file_becomes_history_model_and_predictions_and_nothing_is_lost(trips: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [sys.executable, "-P", "-m", "cli", "up", "--trips", str(trips), "--speed", "max", "--once", "--json"]
    environment = {**os.environ, "TRIPCAST_TRAIN_LEAST_TRIPS": "500"}
    process = subprocess.Popen([*command, "--data", str(data)], env=environment, stdout=PIPE, stderr=PIPE, text=True)
    with process, Listeners(process.pid) as listeners:
        output, errors = process.communicate()
    assert process.returncode == 0, errors
    _nothing_is_open_to_others(data, listeners.found)
    summary = json.loads(output)
    assert summary["ok"] is True
    assert summary["audit"]["ok"] is True
    assert (summary["verify"]["checked"], summary["verify"]["different"]) == (summary["scored"], 0)
    assert summary["trips_loaded"] + summary["trips_streamed"] == GOOD
    assert summary["scored"] == summary["settled"] == summary["trips_streamed"] > 0
    assert summary["events"] == 2 * summary["trips_streamed"]
    assert sum(summary["refused_rows"].values()) == BAD
    assert _alive(DataFolder(data).marker) == []


def _nothing_is_open_to_others(data: Path, found: set[tuple[str, int]]) -> None:
    """Every part and role listens on this machine alone, on ports that are known; passwords are for their owner."""
    folder = DataFolder(data)
    assert {address for address, _ in found} == {"127.0.0.1"}
    ports = folder.ports()
    assert {port for _, port in found} <= set(ports.values()), "somebody listens whom nobody has asked to: Faust's own server?"
    heard = {port for _, port in found}
    assert {"kafka", "database", "mlflow", "worker"} <= {name for name, port in ports.items() if port in heard}
    assert data.stat().st_mode & 0o077 in {0, 0o001}  # root's PostgreSQL, as somebody else, passes through
    private = [path for path in data.iterdir() if path.name in {"secrets.env", "stack.env", "stack.json"}]
    assert len(private) >= 2
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
    passwords = folder.secrets.path.read_text().splitlines()
    assert len(passwords) >= 5
    assert len({line.partition("=")[2] for line in passwords}) == len(passwords)
    assert min(len(line.partition("=")[2]) for line in passwords) >= 32
    logs = "".join(path.read_text(errors="replace") for path in (data / "logs").rglob("*.log"))
    assert [line.partition("=")[0] for line in passwords if line.partition("=")[2] in logs] == []


def _alive(marker: str) -> list[int]:
    return [process.pid for process in psutil.process_iter() if _marker_of(process) == marker]


def _marker_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARKER)
    except (psutil.Error, OSError):
        return None
