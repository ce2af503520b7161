"""The service, fed in lockstep, and the backtest of the same trips decide the same at the same minutes of event time."""

import asyncio
import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import numpy as np
import pytest

from cli.embedded.ports import free_ports
from tests.backtests import CLOCK, HOUR, START, Weeks

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

HEADER = ["id", "vendor_id", "pickup_datetime", "dropoff_datetime", "passenger_count", "pickup_longitude", "pickup_latitude"]
HEADER += ["dropoff_longitude", "dropoff_latitude", "store_and_fwd_flag", "trip_duration"]
DAYS = 2
POLICY = """
[time]
turnaround_minutes = 240

[[confirmation]]
shift = 0.2
hours = 3
labels = 150

[retraining]
least_labels = 300
follow_ups = 0

[shadow]
most_hours = 12
[shadow.test]
least_pairs = 150

[watch]
most_hours = 8
"""
DECIDED = """
select kind, subject, details ->> 'event_at' as at from lifecycle_events
where actor = 'monitor' and kind = any($1) order by event_id
"""
KINDS = ["drift.confirmed", "drift.dismissed", "retraining.requested", "promotion.requested", "dismissal.requested"]
KINDS += ["rollback.requested", "watch.passed", "feed.fault", "feed.healed", "challenger.shadowing"]


@pytest.fixture(scope="module")
def trips(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two files: four weeks of history, and two days in which the city slows down after six hours."""
    weeks = Weeks(days=DAYS)
    weeks.slow_down(1.6, START + 6 * HOUR)
    folder = tmp_path_factory.mktemp("trips")
    live = weeks.trips.pickup_at >= START
    return _written(folder / "history.csv", weeks, ~live), _written(folder / "live.csv", weeks, live)


@pytest.fixture
def environment(kafka_address: str, mlflow_address: str, database: str, topic_prefix: str, tmp_path: Path) -> dict[str, str]:
    """What all processes read."""
    policy = tmp_path / "policy.toml"
    policy.write_text(POLICY)
    port = str(free_ports(1)[0])
    settings = {
        "KAFKA": kafka_address,
        "MLFLOW": mlflow_address,
        "MODEL": f"{topic_prefix}model",
        "DATABASE": database,
        "TOPIC_PREFIX": topic_prefix,
        "POLICY": str(policy),
        "DATA": str(tmp_path / "data"),
        "WORKER_PORT": port,
        "WORKERS": f"http://127.0.0.1:{port}",
        "TRAIN_CANDIDATES": "xgboost-quick",
        "CHAMPION_POLL_SECONDS": "0.5",
        "TRAINER_POLL_SECONDS": "0.5",
        "TRAINER_PORT": "0",
    }
    return {**os.environ, **{f"TRIPCAST_{name}": value for name, value in settings.items()}}


async def test_live_in_lockstep_and_backtest_agree(trips: tuple[Path, Path], environment: dict[str, str]) -> None:
    history, live = map(str, trips)
    for command in (["migrate"], ["load", history], ["train", "--reason", "the first model"]):
        run(environment, *command)
    with running(environment, "worker"), running(environment, "trainer"):
        summary = json.loads(await asyncio.to_thread(run, environment, "replay", live, "--lockstep", "--json"))
        assert not summary["stopped"]
        decided = await decisions(environment["TRIPCAST_DATABASE"])
    since = str(START.astype("datetime64[s]"))
    backtest = ["backtest", history, live, "--train-until", since, "--compare", "drift", "--json"]
    found = json.loads(await asyncio.to_thread(run, environment, *backtest))
    expected = [(event["kind"], event["subject"], event["at"]) for event in found["events"] if event["kind"] in KINDS]
    assert decided == expected
    kinds = [kind for kind, _, _ in decided]
    assert {"drift.confirmed", "retraining.requested", "promotion.requested", "watch.passed"} <= set(kinds)


async def decisions(database: str) -> list[tuple[str, str, str]]:
    """Kind, subject and minute of event time, in order."""
    connection = await asyncpg.connect(database)
    try:
        rows = await connection.fetch(DECIDED, KINDS)
    finally:
        await connection.close()
    return [(row["kind"], row["subject"], row["at"][:16]) for row in rows]


def run(environment: dict[str, str], *arguments: str) -> str:
    """What a command prints; it ends well."""
    answer = subprocess.run(
        [sys.executable, "-P", "-m", "cli", *arguments], env=environment, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, f"{arguments[0]}: {answer.stderr[-2000:]}"
    return answer.stdout


@contextmanager
def running(environment: dict[str, str], role: str) -> Iterator[None]:
    """A role, stopped afterwards."""
    process = subprocess.Popen([sys.executable, "-P", "-m", "cli", role], env=environment, stdout=subprocess.DEVNULL)
    try:
        yield
        assert process.poll() is None, f"{role} ended by itself"
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def _written(path: Path, weeks: Weeks, chosen: np.ndarray) -> Path:
    trips = weeks.trips.take(np.flatnonzero(chosen))
    pickups = CLOCK.local(trips.pickup_at).astype("datetime64[s]")
    dropoffs = CLOCK.local(weeks.dropoff_at[chosen]).astype("datetime64[s]")
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        for row in range(len(trips)):
            times = [str(time).replace("T", " ") for time in (pickups[row], dropoffs[row])]
            places = [trips.pickup_longitude, trips.pickup_latitude, trips.dropoff_longitude, trips.dropoff_latitude]
            seconds = int((dropoffs[row] - pickups[row]) / np.timedelta64(1, "s"))
            numbers = [float(place[row]) for place in places]
            vendor, passengers = int(trips.vendor_id[row]), int(trips.passenger_count[row])
            writer.writerow([trips.trip_id[row], vendor, *times, passengers, *numbers, "N", seconds])
    return path
