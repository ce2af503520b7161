"""Every trap of real trip files, on a small file made by hand."""

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from domain.entities.rejections import Reason
from domain.errors import InvalidInput, WrongColumns
from tests.files import CSV_ROW, csv_file, green_file, opened, read, reasons, zones


def test_a_good_row_becomes_a_trip_in_utc(tmp_path: Path):
    batch = read(csv_file(tmp_path, {}))

    assert batch.rejected == ()
    assert batch.trips.trip_id.tolist() == ["id1"]
    assert batch.trips.pickup_at[0] == np.datetime64("2016-03-01T17:00:00")
    assert batch.completions.dropoff_at[0] == np.datetime64("2016-03-01T17:10:00")
    assert (batch.trips.vendor_id[0], batch.trips.passenger_count[0]) == (2, 1)
    assert (batch.trips.pickup_latitude[0], batch.trips.dropoff_longitude[0]) == (40.75, -73.87)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"id": ""}, Reason.TRIP_ID_INVALID),
        ({"id": "x" * 65}, Reason.TRIP_ID_INVALID),
        ({"vendor_id": -1}, Reason.VENDOR_INVALID),
        ({"vendor_id": "two"}, Reason.VENDOR_INVALID),
        ({"vendor_id": 1.5}, Reason.VENDOR_INVALID),
        ({"vendor_id": 65537}, Reason.VENDOR_INVALID),
        ({"passenger_count": 10}, Reason.PASSENGER_COUNT_INVALID),
        ({"passenger_count": "many"}, Reason.PASSENGER_COUNT_INVALID),
        ({"pickup_latitude": 0, "pickup_longitude": 0}, Reason.COORDINATES_MISSING),
        ({"dropoff_latitude": ""}, Reason.COORDINATES_MISSING),
        ({"dropoff_latitude": "north"}, Reason.COORDINATES_MISSING),
        ({"pickup_latitude": "nan"}, Reason.COORDINATES_MISSING),
        ({"pickup_latitude": 36.17, "pickup_longitude": -115.14}, Reason.OUTSIDE_SERVICE_AREA),
        ({"pickup_datetime": ""}, Reason.PICKUP_TIME_MISSING),
        ({"dropoff_datetime": "soon"}, Reason.PICKUP_TIME_MISSING),
        ({"dropoff_datetime": "2016-02-30 12:00:00"}, Reason.PICKUP_TIME_MISSING),
        ({"pickup_datetime": "2002-12-31 23:00:00"}, Reason.PICKUP_TIME_IMPLAUSIBLE),
        ({"pickup_datetime": "2053-03-21 23:00:00"}, Reason.PICKUP_TIME_IMPLAUSIBLE),
        ({"pickup_datetime": "2016-03-13 02:30:00"}, Reason.LOCAL_TIME_SKIPPED),
        ({"dropoff_datetime": "2016-03-01 12:00:00", "trip_duration": 0}, Reason.DURATION_NOT_POSITIVE),
        ({"dropoff_datetime": "2016-03-01 11:59:00", "trip_duration": -60}, Reason.DURATION_NOT_POSITIVE),
        ({"dropoff_datetime": "2016-03-02 12:00:01", "trip_duration": 86401}, Reason.DURATION_OVER_24_HOURS),
        ({"trip_duration": 599}, Reason.DURATION_MISMATCH),
        ({"trip_duration": "long"}, Reason.DURATION_MISMATCH),
    ],
)
def test_a_row_that_cannot_be_true_is_refused_alone_and_by_name(tmp_path: Path, change: dict[str, object], reason: Reason):
    batch = read(csv_file(tmp_path, {"id": "before"}, change, {"id": "after"}))

    assert reasons(batch) == [(2, reason)]
    assert batch.trips.trip_id.tolist() == ["before", "after"]
    assert batch.rows == 3


@pytest.mark.parametrize(
    "change",
    [
        {"passenger_count": 0},
        {"passenger_count": ""},  # not stated counts as 0
        {"vendor_id": 0},
        {"vendor_id": ""},  # not stated counts as 0
        {"id": "NA"},
        {"id": "N/A"},
        {"id": "null"},
        {"trip_duration": ""},
        {"dropoff_latitude": 40.75, "dropoff_longitude": -73.98},  # where it began
        {"dropoff_datetime": "2016-03-02 12:00:00", "trip_duration": 86400},
        {"dropoff_datetime": "2016-03-01 12:00:01", "trip_duration": 1},
    ],
)
def test_a_strange_row_that_can_be_true_is_kept(tmp_path: Path, change: dict[str, object]):
    batch = read(csv_file(tmp_path, change))

    assert batch.rejected == ()
    assert batch.trips.trip_id.tolist() == [change.get("id", "id1")]


def test_a_refused_row_is_kept_as_it_stood_in_the_file(tmp_path: Path):
    (rejected,) = read(csv_file(tmp_path, {"vendor_id": "two"})).rejected

    assert rejected.row["vendor_id"] == "two"
    assert rejected.row["pickup_datetime"] == CSV_ROW["pickup_datetime"]


def test_rows_with_too_few_or_many_cells_are_refused_with_their_number(tmp_path: Path):
    path = csv_file(tmp_path, {"id": "a"}, {"id": "b"}, {"id": "c", "vendor_id": -1})
    header, a, b, c = path.read_text().splitlines()
    path.write_text("\n".join([header, a, b + ",more", "", "short,row", c]))

    assert reasons(read(path)) == [
        (2, Reason.INVALID_SCHEMA),
        (3, Reason.INVALID_SCHEMA),
        (4, Reason.VENDOR_INVALID),
    ]


def test_row_numbers_run_through_all_blocks_of_a_large_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("adapters.files.tables._CSV_BLOCK_BYTES", 300)
    path = csv_file(tmp_path, *({"id": number, "vendor_id": 1 if number % 7 else -1} for number in range(1, 100)))
    lines = path.read_text().splitlines()
    lines[1], lines[50] = "malformed", "malformed"
    path.write_text("\n".join(lines))

    batch = read(path)

    refused = {1: Reason.INVALID_SCHEMA, 50: Reason.INVALID_SCHEMA, **dict.fromkeys(range(7, 100, 7), Reason.VENDOR_INVALID)}
    assert dict(reasons(batch)) == refused
    assert batch.trips.trip_id.tolist() == [str(number) for number in range(1, 100) if number not in refused]
    assert batch.progress == 1.0


def test_a_trip_across_the_spring_change_lasts_what_real_clocks_say(tmp_path: Path):
    across = {"pickup_datetime": "2016-03-13 01:50:58", "dropoff_datetime": "2016-03-13 03:00:56", "trip_duration": 4198}

    batch = read(csv_file(tmp_path, across))

    assert batch.completions.duration_seconds.tolist() == [598.0]


def test_missing_columns_are_named(tmp_path: Path):
    columns = [column for column in CSV_ROW if column not in ("dropoff_datetime", "trip_duration")]

    with pytest.raises(WrongColumns, match="dropoff_datetime, trip_duration"):
        opened(csv_file(tmp_path, {}, columns=columns))


@pytest.mark.parametrize(
    "content", [b"", b"\n", b"hello\nworld\n", b"\x00\x01\x02", b"PAR1 but not really", b"a,b\n1,2\n", b"\xff\xfe"]
)
def test_what_is_no_trips_file_is_refused_in_one_line(tmp_path: Path, content: bytes):
    path = tmp_path / "file"
    path.write_bytes(content)

    with pytest.raises(InvalidInput) as refusal:
        opened(path)

    assert "\n" not in str(refusal.value)
    assert "not a trips file" in str(refusal.value)


def test_a_missing_file_is_refused_in_one_line(tmp_path: Path):
    with pytest.raises(InvalidInput, match=r"nowhere\.csv cannot be read: No such file or directory"):
        opened(tmp_path / "nowhere.csv")


def test_a_monthly_file_takes_its_places_from_the_zones_table(tmp_path: Path):
    batch = read(green_file(tmp_path, {}), zones(tmp_path))

    assert batch.rejected == ()
    assert (batch.trips.pickup_latitude[0], batch.trips.pickup_longitude[0]) == (40.69, -74.17)
    assert (batch.trips.dropoff_latitude[0], batch.trips.dropoff_longitude[0]) == (40.61, -73.83)
    assert batch.trips.pickup_at[0] == np.datetime64("2025-01-05T17:00:00")


def test_a_monthly_file_without_a_zones_table_is_refused_saying_so(tmp_path: Path):
    with pytest.raises(InvalidInput, match="--zones FILE"):
        opened(green_file(tmp_path, {}))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"PULocationID": 264}, Reason.ZONE_UNKNOWN),
        ({"DOLocationID": 77}, Reason.ZONE_UNKNOWN),
        ({"DOLocationID": 9_999_999}, Reason.ZONE_UNKNOWN),
        ({"DOLocationID": -1}, Reason.ZONE_UNKNOWN),
        ({"PULocationID": None}, Reason.ZONE_UNKNOWN),
        ({"VendorID": -1}, Reason.VENDOR_INVALID),
        ({"lpep_pickup_datetime": None}, Reason.PICKUP_TIME_MISSING),
        ({"lpep_pickup_datetime": datetime(2008, 8, 8, 12, 0)}, Reason.PICKUP_TIME_IMPLAUSIBLE),  # noqa: DTZ001
        ({"lpep_dropoff_datetime": datetime(2025, 1, 5, 12, 0)}, Reason.DURATION_NOT_POSITIVE),  # noqa: DTZ001
    ],
)
def test_the_traps_of_monthly_files_have_names(tmp_path: Path, change: dict[str, object], reason: Reason):
    batch = read(green_file(tmp_path, {}, change), zones(tmp_path))

    assert reasons(batch) == [(2, reason)]
    assert len(batch.trips) == 1


def test_what_a_monthly_file_leaves_out_about_vendor_and_passengers_is_zero(tmp_path: Path):
    left_out = {"VendorID": None, "passenger_count": None}
    batch = read(green_file(tmp_path, {}, left_out, {"passenger_count": None}), zones(tmp_path))

    assert batch.rejected == ()
    assert batch.trips.vendor_id.tolist() == [2, 0, 2]
    assert batch.trips.passenger_count.tolist() == [1, 0, 0]


def test_a_zones_table_needs_its_columns(tmp_path: Path):
    from adapters.files.zones import read_zones

    path = tmp_path / "zones.csv"
    path.write_text("location_id,zone\n1,Newark\n")

    with pytest.raises(WrongColumns, match="latitude, longitude"):
        read_zones(path)


def test_rows_without_ids_get_the_same_ids_in_every_reading_and_in_any_company(tmp_path: Path):
    table = zones(tmp_path)
    alone = read(green_file(tmp_path, {"trip_distance": 2.5}, name="alone.parquet"), table)
    together = read(green_file(tmp_path, {}, {"trip_distance": 2.5}, {"trip_distance": 3.5}, name="all.parquet"), table)

    assert together.trips.trip_id[1] == alone.trips.trip_id[0]
    assert len(set(together.trips.trip_id)) == 3


def test_identical_rows_are_numbered_and_both_kept(tmp_path: Path):
    path = green_file(tmp_path, {}, {"VendorID": 1}, {}, {})

    first, _, second, third = read(path, zones(tmp_path)).trips.trip_id.tolist()

    assert (second, third) == (f"{first}-2", f"{first}-3")
    assert read(path, zones(tmp_path)).trips.trip_id.tolist()[0] == first


def test_a_repeated_id_is_left_for_the_store_to_notice(tmp_path: Path):
    batch = read(csv_file(tmp_path, {}, {}))

    assert batch.trips.trip_id.tolist() == ["id1", "id1"]
