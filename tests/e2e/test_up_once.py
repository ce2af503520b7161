"""`tripcast up --once` from a trips file to a clean audit: all processes, as a user starts them."""

import csv
import json
import os
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import psutil
import pytest

from cli.stack.folder import DataFolder
from cli.stack.leftovers import MARKER

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


def test_a_file_becomes_history_model_and_predictions_and_nothing_is_lost(trips: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    command = [sys.executable, "-P", "-m", "cli", "up", "--trips", str(trips), "--speed", "max", "--once", "--json"]
    environment = {**os.environ, "TRIPCAST_TRAIN_LEAST_TRIPS": "500"}
    answer = subprocess.run([*command, "--data", str(data)], env=environment, capture_output=True, text=True, check=False)
    assert answer.returncode == 0, answer.stderr
    summary = json.loads(answer.stdout)
    assert summary["ok"] is True
    assert summary["audit"]["ok"] is True
    assert (summary["verify"]["checked"], summary["verify"]["different"]) == (summary["scored"], 0)
    assert summary["trips_loaded"] + summary["trips_streamed"] == GOOD
    assert summary["scored"] == summary["settled"] == summary["trips_streamed"] > 0
    assert summary["events"] == 2 * summary["trips_streamed"]
    assert sum(summary["refused_rows"].values()) == BAD
    assert _alive(DataFolder(data).marker) == []


def _alive(marker: str) -> list[int]:
    return [process.pid for process in psutil.process_iter() if _marker_of(process) == marker]


def _marker_of(process: psutil.Process) -> str | None:
    try:
        return process.environ().get(MARKER)
    except (psutil.Error, OSError):
        return None
