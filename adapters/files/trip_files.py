"""Read trip files: every row becomes a trip with its completion, or a rejected row with a reason."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from adapters.files.cells import floats, local_times, raw_rows, shorts, strings
from adapters.files.content_ids import ContentIds
from adapters.files.layouts import Layout, layout_of
from adapters.files.local_time import localise
from adapters.files.tables import Rows, Table, open_table
from adapters.files.zones import Zones
from domain.entities.files import RejectedRow, TripBatch
from domain.entities.rejections import Reason
from domain.entities.trips import SECOND, CompletionColumns, Floats, Shorts, Strings, Times, TripColumns
from domain.errors import InvalidInput
from domain.features import CityClock
from domain.quality import TripRules, Verdicts

_NO_PASSENGERS_STATED = 0
_INVALID_PASSENGERS = -1
_NO_VENDOR_STATED = 0
_INVALID_VENDOR = -1


@dataclass(frozen=True, slots=True, eq=False)
class TripFile:
    """One trips file. Memory does not grow with the file, but for 8 bytes a row in layouts without ids."""

    path: Path
    layout: Layout
    table: Table
    clock: CityClock
    rules: TripRules
    zones: Zones | None

    @property
    def layout_name(self) -> str:
        """The layout's name."""
        return self.layout.name

    def sha256(self) -> str:
        """The hash of the file's bytes. Raises InvalidInput."""
        try:
            with self.path.open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise InvalidInput(f"{self.path} cannot be read: {error.strerror}") from error

    def batches(self, now: datetime) -> Iterator[TripBatch]:
        """Every row of the file, in order; `now` (aware) bounds the pickups. Raises InvalidInput for a damaged file."""
        ids = ContentIds(self.layout.name)
        for rows in self.table.rows(self.layout.columns):
            yield self._batch(rows, ids, now)

    def _batch(self, rows: Rows, ids: ContentIds, now: datetime) -> TripBatch:
        local_pickup, local_dropoff = self._local_times(rows.cells)
        stated = self._stated_seconds(rows.cells)
        real = localise(local_pickup, local_dropoff, stated, self.clock)
        places = self._places(rows.cells)
        trip_id = self._trip_ids(rows.cells, ids)
        vendor = self._shorts(rows.cells, self.layout.vendor, _NO_VENDOR_STATED, _INVALID_VENDOR)
        passengers = self._shorts(rows.cells, self.layout.passengers, _NO_PASSENGERS_STATED, _INVALID_PASSENGERS)
        trips = TripColumns(trip_id, vendor, passengers, real.pickup_at, *places)
        completions = CompletionColumns(trip_id, real.pickup_at, real.dropoff_at)

        verdicts = self.rules.judge_whole(trips, completions, now)
        if self.layout.has_zones:
            verdicts[np.isnan(places).any(axis=0)] = Reason.ZONE_UNKNOWN
        verdicts[real.skipped] = Reason.LOCAL_TIME_SKIPPED
        verdicts[np.isnat(local_pickup) | np.isnat(local_dropoff)] = Reason.PICKUP_TIME_MISSING
        if stated is not None:
            mismatch = _mismatch(stated, (local_dropoff - local_pickup) / SECOND, completions.duration_seconds)
            verdicts[_accepted(verdicts) & mismatch] = Reason.DURATION_MISMATCH
        return _split(rows, trips, completions, verdicts)

    def _local_times(self, cells: pa.RecordBatch) -> tuple[Times, Times]:
        return local_times(cells[self.layout.pickup_at]), local_times(cells[self.layout.dropoff_at])

    def _shorts(self, cells: pa.RecordBatch, column: str | None, empty: int, invalid: int) -> Shorts:
        if column is None:
            return np.full(cells.num_rows, empty, dtype=np.int16)
        return shorts(cells[column], empty, invalid)

    def _stated_seconds(self, cells: pa.RecordBatch) -> Floats | None:
        return floats(cells[self.layout.duration_seconds]) if self.layout.duration_seconds else None

    def _places(self, cells: pa.RecordBatch) -> tuple[Floats, Floats, Floats, Floats]:
        latitude, longitude = self._place(cells, self.layout.pickup)
        return latitude, longitude, *self._place(cells, self.layout.dropoff)

    def _place(self, cells: pa.RecordBatch, columns: tuple[str, ...]) -> tuple[Floats, Floats]:
        if self.zones is not None:
            return self.zones.centroid(floats(cells[columns[0]]))
        return floats(cells[columns[0]]), floats(cells[columns[1]])

    def _trip_ids(self, cells: pa.RecordBatch, ids: ContentIds) -> Strings:
        if self.layout.trip_id:
            return strings(cells[self.layout.trip_id])
        times = {self.layout.pickup_at, self.layout.dropoff_at}
        return ids.of([local_times(cells[name]) if name in times else floats(cells[name]) for name in self.layout.columns])


def open_trip_file(
    path: Path, clock: CityClock, rules: TripRules, zones: Zones | None = None, own: Layout | None = None
) -> TripFile:
    """Open and recognise a file; `own` is a layout beside those that we know.

    Raises InvalidInput when it cannot be read, is no trips file, or needs a zones table that is not given; WrongColumns when
    columns are missing.
    """
    table = open_table(path)
    layout = layout_of(path, table.columns, own)
    if layout.has_zones and zones is None:
        raise InvalidInput(f"{path} gives zones instead of coordinates: point to a zones table with --zones FILE")
    return TripFile(path, layout, table, clock, rules, zones if layout.has_zones else None)


def _mismatch(stated: Floats, on_the_wall: Floats, real: Floats) -> NDArray[np.bool_]:
    """Whether a stated duration is neither what wall clocks nor what real clocks say; an empty cell states nothing."""
    return np.asarray((stated != on_the_wall) & (stated != real) & ~np.isnan(stated))


def _accepted(verdicts: Verdicts) -> NDArray[np.bool_]:
    return np.fromiter((verdict is None for verdict in verdicts), np.bool_, len(verdicts))


def _split(rows: Rows, trips: TripColumns, completions: CompletionColumns, verdicts: Verdicts) -> TripBatch:
    accepted = _accepted(verdicts)
    refused = np.flatnonzero(~accepted)
    cells = raw_rows(rows.cells, refused)
    rejected = [
        RejectedRow(int(rows.numbers[row]), verdicts[row], cell) for row, cell in zip(refused.tolist(), cells, strict=True)
    ]
    rejected += [RejectedRow(number, Reason.INVALID_SCHEMA, {"text": text}) for number, text in rows.malformed]
    return TripBatch(
        trips=trips.take(accepted),
        completions=completions.take(accepted),
        rejected=tuple(sorted(rejected, key=lambda row: row.number)),
        rows=len(trips) + len(rows.malformed),
        progress=rows.progress,
    )
