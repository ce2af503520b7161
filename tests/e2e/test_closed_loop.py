"""The main job when the city changes: noticed, learnt, tried, promoted and watched, with nobody's hand on it."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import httpx
import pytest
from dotenv import dotenv_values

from adapters.environment.settings import PostgresSettings
from cli.embedded.mlflow import http_ok
from cli.stack.folder import DataFolder
from tests import running
from tests.documents import REPOSITORY, Document
from tests.e2e.typed import Shell
from tests.listeners import listening
from tests.programs import needed

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

SPEED = "600"  # an hour of city time in six seconds: two hours of maturity are twelve
SLOWDOWN_AFTER_MINUTES = "300"
# Of mature trips: how much longer they took than predicted (as a logarithm), and the mean absolute error as a share.
ERRORS = """
select model_version, sum(log_ratio_u) / 1e6 / sum(settled) as shift, sum(settled) as trips
from quality_minutes where role = 'champion'
    and minute < (select closed_until from open_tallies) - interval '2 hours'
group by model_version having sum(settled) > 0 order by model_version
"""
TRIP = {
    "vendor_id": 1,
    "passenger_count": 1,
    "pickup_at": "2025-01-06T14:00:00Z",
    "pickup": {"latitude": 40.75, "longitude": -73.98},
    "dropoff": {"latitude": 40.77, "longitude": -73.96},
}
ROWS_BY_VERSION = "select model_version, role::text, count(*) from predictions group by 1, 2"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple["subprocess.Popen[str]", Path]]:
    """A local stack with a simulated city that slows down after five hours of its time."""
    data = tmp_path_factory.mktemp("loop") / "data"
    arguments = ["--speed", SPEED, "--slowdown", "1.5", "--slowdown-after", SLOWDOWN_AFTER_MINUTES]
    command = [sys.executable, "-P", "-m", "cli", "up", "--data", str(data), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ})
    try:
        yield process, data
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


def until(process: "subprocess.Popen[str]", beginning: str) -> str:
    """The first line of the screen that begins so."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line)
        if line.startswith(beginning):
            return line
    pytest.fail(f"the stack ended before it said {beginning!r}:\n{''.join(seen[-30:])}")


def test_every_part_and_role_listens_on_this_machine_alone(stack: tuple["subprocess.Popen[str]", Path]) -> None:
    process, data = stack
    names = {"kafka", "database", "mlflow", "worker", "trainer", "api", "board"}

    async def all_listen() -> bool:
        assert process.poll() is None, "the stack has ended"
        ports = DataFolder(data).ports()
        return names <= {name for name, port in ports.items() if port in {port for _, port in listening(process.pid)}}

    asyncio.run(running.until(all_listen, deadline=180))
    assert {address for address, _ in listening(process.pid)} == {"127.0.0.1"}


def test_a_slow_down_leads_to_a_better_champion_by_itself(stack: tuple["subprocess.Popen[str]", Path]) -> None:
    process, data = stack
    confirmed = until(process, "drift confirmed")
    assert "longer than normal" in confirmed
    assert "the whole city" in confirmed
    until(process, "retraining requested: episode 1")
    until(process, "challenger shadowing: episode 1: version 2")
    until(process, "model promoted: version 2")
    until(process, "watch passed: episode 1")
    _it_is_served(data)
    settings = PostgresSettings.read(data=data)
    asyncio.run(_errors_are_back(settings.database.get_secret_value()))


@pytest.mark.parametrize("page", ["README.md", "docs/quickstart.md"])
def test_every_command_of_the_first_pages_does_what_they_say(
    stack: tuple["subprocess.Popen[str]", Path], tmp_path: Path, page: str
) -> None:
    """On the stack of the test before: another start would take half a minute."""
    needed("curl", package="curl")
    process, data = stack
    asyncio.run(until_ready(process, data))
    shell = Shell(tmp_path, data, {name: value or "" for name, value in dotenv_values(data / "stack.env").items()})
    for block in Document(REPOSITORY / page).shell_blocks():
        if not block.not_run:
            shell.type(block)


async def until_ready(process: "subprocess.Popen[str]", data: Path) -> None:
    """Return when there is a champion that answers."""

    async def ready() -> bool:
        assert process.poll() is None, "the stack has ended"
        address = dotenv_values(data / "stack.env").get("TRIPCAST_API")
        return bool(address) and http_ok(f"{address}/readyz")

    await running.until(ready, deadline=120)


def _it_is_served(data: Path) -> None:
    """The API answers with the new champion, the operator's key opens what only he may do, and the doctor has no complaint."""
    found = {name: value or "" for name, value in dotenv_values(data / "stack.env").items()}
    with httpx.Client(base_url=found["TRIPCAST_API"], timeout=20, trust_env=False) as api:
        assert api.post("/predict", json=TRIP).json()["model"]["version"] == 2
        assert api.post("/model/reload").status_code == httpx.codes.UNAUTHORIZED
        key = {"Authorization": f"Bearer {found['TRIPCAST_OPERATOR_KEY']}"}
        assert api.post("/model/reload", headers=key).status_code == httpx.codes.OK
    board = f"http://127.0.0.1:{found['TRIPCAST_BOARD_PORT']}"
    assert "tripcast" in httpx.get(board, trust_env=False).text
    doctor = [sys.executable, "-P", "-m", "cli", "doctor", "--json", "--data", str(data)]
    checks = json.loads(subprocess.run(doctor, capture_output=True, text=True, check=False).stdout)["checks"]
    verdicts = {check["check"]: check["verdict"] for check in checks}
    assert [verdicts[role] for role in ("worker", "trainer", "API", "board")] == ["ok"] * 4


async def _errors_are_back(database: str) -> None:
    connection = await asyncpg.connect(database)
    try:
        found = {row["model_version"]: row for row in await connection.fetch(ERRORS)}
        roles = {(row[0], row[1]) for row in await connection.fetch(ROWS_BY_VERSION)}
        history = await connection.fetch("select kind from lifecycle_events where subject = 'episode 1' order by event_id")
    finally:
        await connection.close()
    assert found[1]["shift"] > 0.1  # over its whole time, the calm hours included
    assert abs(found[2]["shift"]) < 0.1
    assert roles >= {(1, "champion"), (2, "challenger"), (2, "champion"), (1, "challenger")}
    kinds = [row["kind"] for row in history]
    assert kinds.count("retraining.requested") == 1
    assert kinds.index("drift.confirmed") < kinds.index("promotion.requested") < kinds.index("watch.passed")
