"""Loading against a real database, and the real files where they lie beside the repository."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from tests.files import ZONES, csv_file, green_file

DATA = Path(__file__).parents[3] / "shared" / "data"
needs_data = pytest.mark.skipif(not DATA.is_dir(), reason=f"the real trips are not at {DATA}")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def tripcast(database: str, tmp_path: Path) -> Run:
    """Runs the command as its users do."""

    def run(*arguments: object, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "cli", *map(str, arguments)],
            env={"TRIPCAST_DATABASE": database, "TRIPCAST_DATA": str(tmp_path / "data"), "COLUMNS": "200"},
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    return run


def loaded(run: Run, *arguments: object) -> dict[str, object]:
    done = run("load", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    report: dict[str, object] = json.loads(done.stdout)
    return report


async def rows_of(database: str, query: str) -> list[tuple[object, ...]]:
    connection = await asyncpg.connect(database)
    try:
        return [tuple(row) for row in await connection.fetch(query)]
    finally:
        await connection.close()


STORED = "select trip_id, pickup_at, dropoff_at from trips join completions using (trip_id, pickup_at) order by trip_id"


async def test_a_file_is_stored_once_with_its_refused_rows_and_its_line_in_the_ledger(
    tripcast: Run, database: str, tmp_path: Path
):
    path = csv_file(tmp_path, {"id": "a"}, {"id": "b", "vendor_id": -1}, {"id": "c"}, {"id": "a"})

    first, before = loaded(tripcast, path), await rows_of(database, STORED)
    second = loaded(tripcast, path)

    assert (first["rows"], first["inserted"], first["already_there"]) == (4, 2, 1)
    assert first["refused"] == {"vendor_invalid": 1}
    assert (second["inserted"], second["already_there"]) == (0, 3)
    assert await rows_of(database, STORED) == before
    assert [row[0] for row in before] == ["a", "c"]
    ((number, reason, cells),) = await rows_of(database, "select row_number, reason, row from rejected_rows")
    assert (number, reason, json.loads(str(cells))["id"]) == (2, "vendor_invalid", "b")
    assert await rows_of(database, "select name, layout, rows, accepted from loaded_files") == [
        ("trips.csv", "nyc_trip_duration", 4, 3)
    ]


async def test_refused_rows_are_shown_as_they_stand_in_the_file(tripcast: Run, database: str, tmp_path: Path):
    path = csv_file(tmp_path, {"id": "a"}, {"id": "b", "vendor_id": -1}, {"id": "c", "pickup_latitude": 0})
    loaded(tripcast, path)
    shown = json.loads(tripcast("dead-letters", "rows", "--json").stdout)
    assert [(row["file"], row["number"], row["reason"], row["row"]["id"]) for row in shown] == [
        ("trips.csv", 2, "vendor_invalid", "b"),
        ("trips.csv", 3, "coordinates_missing", "c"),
    ]
    assert len(json.loads(tripcast("dead-letters", "rows", "--json", "--reason", "vendor_invalid").stdout)) == 1
    assert "vendor_id=-1" in "".join(tripcast("dead-letters", "rows").stdout.split())


async def test_a_share_leaves_the_rest_and_a_later_load_brings_it(tripcast: Run, database: str, tmp_path: Path):
    rows = (
        {"id": str(hour), "pickup_datetime": f"2016-03-01 {hour}:00:00", "dropoff_datetime": f"2016-03-01 {hour}:10:00"}
        for hour in (14, 12, 13, 10, 11)
    )
    path = csv_file(tmp_path, *rows)

    part = loaded(tripcast, path, "--first-share", "0.6")
    assert (part["inserted"], part["held_back"]) == (3, 2)
    assert [row[0] for row in await rows_of(database, STORED)] == ["10", "11", "12"]

    whole = loaded(tripcast, path)
    assert (whole["inserted"], whole["already_there"]) == (2, 3)


async def test_rows_without_ids_are_loaded_once_identical_ones_included(tripcast: Run, database: str, tmp_path: Path):
    path = green_file(tmp_path, {}, {}, {"VendorID": 1})
    zones = tmp_path / "zones.csv"
    zones.write_text(ZONES)

    first = loaded(tripcast, path, "--zones", zones)
    second = loaded(tripcast, path, "--zones", zones)

    assert (first["inserted"], second["inserted"], second["already_there"]) == (3, 0, 3)


def test_the_report_for_people_says_why_rows_were_refused(tripcast: Run, tmp_path: Path):
    done = tripcast("load", csv_file(tmp_path, {}, {"vendor_id": -1}))

    assert done.returncode == 0
    assert "the vendor id is outside 0 to 32767 (vendor_invalid)" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["nowhere.csv"], "cannot be read"),
        (["wrong.csv"], "not a trips file"),
        (["lacking.csv"], "lacks the columns: dropoff_datetime"),
        (["green.parquet"], "--zones FILE"),
        (["good.csv", "--first-share", "80"], "between 0 and 1"),
        (["good.csv", "--first-share", "0.5", "--until", "2016-01-01"], "exclude each other"),
    ],
)
def test_wrong_input_gives_one_line_and_code_3(tripcast: Run, tmp_path: Path, arguments: list[str], words: str):
    (tmp_path / "wrong.csv").write_text("a,b\n1,2\n")
    csv_file(tmp_path, {}).rename(tmp_path / "good.csv")
    header, row = (tmp_path / "good.csv").read_text().splitlines()
    (tmp_path / "lacking.csv").write_text(header.replace("dropoff_datetime", "dropoff_time") + "\n" + row)
    green_file(tmp_path, {})

    done = tripcast("load", tmp_path / arguments[0], *arguments[1:])

    assert done.returncode == 3
    assert words in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert done.stdout == ""


async def test_the_citys_past_is_history_too(tripcast: Run, database: str):
    first = tripcast("simulate", "--history", 3000, "--history-days", 7, "--json")
    again = tripcast("simulate", "--history", 3000, "--history-days", 7, "--json")

    assert first.returncode == again.returncode == 0, first.stderr
    report = json.loads(first.stdout)
    assert report["rows"] == 3000
    assert report["inserted"] + sum(report["refused"].values()) == 3000
    assert json.loads(again.stdout)["inserted"] == 0
    assert await rows_of(database, "select layout, rows from loaded_files") == [("simulated", 3000)]
    ((newest,),) = await rows_of(database, "select max(pickup_at)::text from trips")
    assert str(newest) < "2025-01-06 12:00:00+00"


@pytest.mark.data
@needs_data
async def test_every_row_of_the_trips_of_2016_is_accounted_for(tripcast: Run, database: str):
    path = DATA / "nyc_trips_2016.csv"
    first = loaded(tripcast, path)
    second = loaded(tripcast, path)

    refused = first["refused"]
    assert isinstance(refused, dict)
    assert first["rows"] == 49_553
    assert first["inserted"] == 49_553 - sum(refused.values())
    assert refused == {"outside_service_area": 29, "duration_over_24_hours": 1, "local_time_skipped": 1}
    assert (second["inserted"], second["already_there"]) == (0, first["inserted"])
    assert await rows_of(database, "select count(*) from rejected_rows") == [(31,)]
    assert await rows_of(database, "select count(*) from trips join completions using (trip_id)") == [(first["inserted"],)]


@pytest.mark.data
@needs_data
def test_every_row_of_the_monthly_files_is_accounted_for(tripcast: Run):
    files = sorted(DATA.glob("*_tripdata_*.parquet"))
    report = loaded(tripcast, *files, "--zones", DATA / "taxi_zones.csv")
    again = loaded(tripcast, *files, "--zones", DATA / "taxi_zones.csv")

    refused = report["refused"]
    assert isinstance(refused, dict)
    assert len(files) == 20
    assert report["rows"] == 48_326 + 46_621 + 18 * 10_000
    assert report["inserted"] == report["rows"] - sum(refused.values())
    assert again["inserted"] == 0
