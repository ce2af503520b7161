"""Trip files with columns of somebody's own: described in TOML, read by the same rules, and wrong in words."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters.files.own_layouts import read_layout
from adapters.files.trip_files import TripFile, open_trip_file
from domain.entities.rejections import Reason
from domain.errors import InvalidInput, WrongColumns
from domain.features import CityClock
from domain.quality import TripRules
from tests.files import CSV_ROW
from tests.pages import blocks

COLUMNS = """
pickup_at = "begin"
dropoff_at = "end"
pickup = ["from lat", "from lon"]
dropoff = ["to lat", "to lon"]
"""
ROWS = """begin,end,from lat,from lon,to lat,to lon,tip
2016-03-01 12:00:00,2016-03-01 12:10:00,40.75,-73.98,40.77,-73.87,1
2016-03-01 12:05:00,2016-03-01 12:01:00,40.75,-73.98,40.77,-73.87,2
2016-03-01 12:07:00,2016-03-01 12:21:00,40.75,-73.98,36.17,-115.14,2
"""


def opened(folder: Path, columns: str = COLUMNS, rows: str = ROWS) -> TripFile:
    described, trips = folder / "columns.toml", folder / "trips.csv"
    described.write_text(columns)
    trips.write_text(rows)
    return open_trip_file(trips, CityClock(), TripRules(), own=read_layout(described))


def test_columns_of_ones_own_are_read_by_the_same_rules(tmp_path: Path) -> None:
    [batch] = opened(tmp_path).batches(datetime.now(UTC))
    assert (len(batch.trips), batch.completions.duration_seconds.tolist()) == (1, [600.0])
    assert (batch.trips.vendor_id.tolist(), batch.trips.passenger_count.tolist()) == ([0], [0]), "not stated"
    assert [row.reason for row in batch.rejected] == [Reason.DURATION_NOT_POSITIVE, Reason.OUTSIDE_SERVICE_AREA]
    assert batch.rejected[0].row["begin"] == "2016-03-01 12:05:00"


def test_what_else_the_file_has_may_be_named(tmp_path: Path) -> None:
    rows = ROWS.replace("tip", "who").replace("-73.87,1", "-73.87,7")
    [batch] = opened(
        tmp_path, COLUMNS + 'name = "my_city"\nvendor = "who"\npassengers = "who"\ntrip_id = "begin"', rows
    ).batches(datetime.now(UTC))
    assert (batch.trips.vendor_id[0], batch.trips.passenger_count[0], batch.trips.trip_id[0]) == (7, 7, "2016-03-01 12:00:00")


def test_the_description_on_the_page_is_read(tmp_path: Path) -> None:
    [described] = blocks("guides/own-trips.md", "toml")
    rows = "ride,begin,end,from_lat,from_lon,to_lat,to_lon,people,fare\n"
    rows += "r1,2016-03-01 12:00:00,2016-03-01 12:10:00,40.75,-73.98,40.77,-73.87,3,1\n"
    [batch] = opened(tmp_path, described, rows).batches(datetime.now(UTC))
    assert (batch.trips.trip_id.tolist(), batch.trips.passenger_count.tolist()) == (["r1"], [3])


def test_our_layouts_are_still_known_beside_it(tmp_path: Path) -> None:
    rows = f"{','.join(CSV_ROW)}\n{','.join(map(str, CSV_ROW.values()))}\n"
    assert opened(tmp_path, rows=rows).layout_name == "nyc_trip_duration"


def test_a_layout_that_fits_goes_before_one_that_nearly_does(tmp_path: Path) -> None:
    names = ["id", "vendor_id", "passenger_count", "pickup_datetime", "dropoff_datetime", "trip_duration", "pickup_latitude"]
    header, *rows = ROWS.splitlines()
    wide = "\n".join([",".join([header, *names]), *(row + ",0" * len(names) for row in rows)])
    assert opened(tmp_path, rows=wide).layout_name == "own"


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        (COLUMNS.replace("begin", "start"), "looks like the layout own but lacks the columns: start"),
        (COLUMNS.replace('pickup_at = "begin"', ""), "pickup_at: Field required"),
        (COLUMNS + 'colour = "red"', "colour: Extra inputs are not permitted"),
        (COLUMNS.replace('"begin"', "1"), "pickup_at: Input should be a valid string"),
        (COLUMNS.replace('["to lat", "to lon"]', '["to"]'), "both two columns, or both one"),
        (COLUMNS + 'name = "yellow"', "the name yellow is one of ours"),
        ("pickup_at = ", "are not TOML"),
    ],
)
def test_a_wrong_description_is_told_in_words(columns: str, sentence: str, tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=sentence):
        opened(tmp_path, columns)


def test_a_file_without_any_known_column_is_told_how_to_describe_it(tmp_path: Path) -> None:
    (tmp_path / "trips.csv").write_text(ROWS)
    with pytest.raises(InvalidInput, match="TRIPCAST_TRIP_COLUMNS says what other columns mean") as error:
        open_trip_file(tmp_path / "trips.csv", CityClock(), TripRules())
    assert not isinstance(error.value, WrongColumns)
