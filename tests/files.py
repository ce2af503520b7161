"""Trip files for tests, written by hand: one good row of each layout, to be spoiled in one way at a time."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from adapters.files.trip_files import TripFile, open_trip_file
from adapters.files.zones import Zones, read_zones
from domain.entities.files import TripBatch
from domain.entities.rejections import Reason
from domain.entities.trips import CompletionColumns, TripColumns
from domain.features import CityClock
from domain.quality import TripRules

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ZONES = "location_id,borough,zone,latitude,longitude\n1,EWR,Newark Airport,40.69,-74.17\n2,Queens,Jamaica Bay,40.61,-73.83\n"
ZONES += "264,Unknown,N/A,,\n"
CSV_ROW: dict[str, object] = {
    "id": "id1",
    "vendor_id": 2,
    "pickup_datetime": "2016-03-01 12:00:00",
    "dropoff_datetime": "2016-03-01 12:10:00",
    "passenger_count": 1,
    "pickup_longitude": -73.98,
    "pickup_latitude": 40.75,
    "dropoff_longitude": -73.87,
    "dropoff_latitude": 40.77,
    "store_and_fwd_flag": "N",
    "trip_duration": 600,
}
GREEN_ROW: dict[str, object] = {
    "VendorID": 2,
    "lpep_pickup_datetime": datetime(2025, 1, 5, 12, 0),  # noqa: DTZ001 - naive, as these files are
    "lpep_dropoff_datetime": datetime(2025, 1, 5, 12, 10),  # noqa: DTZ001
    "passenger_count": 1,
    "PULocationID": 1,
    "DOLocationID": 2,
    "trip_distance": 1.5,
    "total_amount": 12.3,
}


def csv_file(folder: Path, *changes: Mapping[str, object], columns: Sequence[str] = tuple(CSV_ROW)) -> Path:
    """A file of the 2016 layout, one row for each set of changes to CSV_ROW."""
    rows = [CSV_ROW | dict(change) for change in changes]
    lines = [",".join(columns), *(",".join(str(row[column]) for column in columns) for row in rows)]
    path = folder / "trips.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def green_file(folder: Path, *changes: Mapping[str, object], name: str = "green.parquet") -> Path:
    """A green monthly file, one row for each set of changes to GREEN_ROW."""
    rows = [GREEN_ROW | dict(change) for change in changes]
    path = folder / name
    pq.write_table(pa.table({column: [row[column] for row in rows] for column in GREEN_ROW}), path)
    return path


def zones(folder: Path) -> Zones:
    path = folder / "zones.csv"
    path.write_text(ZONES)
    return read_zones(path)


def opened(path: Path, table: Zones | None = None) -> TripFile:
    return open_trip_file(path, CityClock(), TripRules(), table)


def read(path: Path, table: Zones | None = None) -> TripBatch:
    """The whole of a small file as one batch."""
    batches = list(opened(path, table).batches(NOW))
    return TripBatch(
        trips=TripColumns.concatenate([batch.trips for batch in batches]),
        completions=CompletionColumns.concatenate([batch.completions for batch in batches]),
        rejected=tuple(row for batch in batches for row in batch.rejected),
        rows=sum(batch.rows for batch in batches),
        progress=batches[-1].progress,
    )


def reasons(batch: TripBatch) -> list[tuple[int, Reason]]:
    return [(row.number, row.reason) for row in batch.rejected]
