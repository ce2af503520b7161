"""Turn columns of cells, text or typed, into arrays; a wrong cell spoils itself alone, never its column."""

from datetime import datetime
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from domain.entities.trips import TIME, Floats, Shorts, Strings, Times

Cells: TypeAlias = "pa.Array[Any]"  # one column of a batch

_SHORT_LIMIT = 32767


def strings(column: Cells) -> Strings:
    """Shape (n,) of str objects; empty where the cell is null."""
    return np.asarray(pc.cast(column, pa.string()).fill_null("").to_numpy(zero_copy_only=False), dtype=np.object_)


def floats(column: Cells) -> Floats:
    """Shape (n,): NaN where the cell is empty, infinity where it is no number."""
    try:
        return np.asarray(pc.cast(column, pa.float64()).to_numpy(zero_copy_only=False), dtype=np.float64)
    except pa.ArrowInvalid:  # rare, so slow: some cell of this stretch is empty text or no number
        return np.array([_number(cell) for cell in column.to_pylist()], dtype=np.float64)


def shorts(column: Cells, empty: int, invalid: int) -> Shorts:
    """Shape (n,), int16: `empty` where the cell is empty, `invalid` where it is no whole number of 16 bits."""
    values = floats(column)
    whole = np.isfinite(values) & (np.abs(values) <= _SHORT_LIMIT)
    whole &= np.trunc(np.where(whole, values, 0.0)) == np.where(whole, values, 0.0)
    chosen = np.where(whole, values, np.where(np.isnan(values), empty, invalid))
    return chosen.astype(np.int16)


def local_times(column: Cells) -> Times:
    """Shape (n,), datetime64[us] as written, without a zone; NaT where the cell is empty or no such time."""
    try:
        return np.asarray(pc.cast(column, pa.timestamp("us"), safe=False).to_numpy(zero_copy_only=False), dtype=TIME)
    except pa.ArrowInvalid:
        return np.array([_time(cell) for cell in column.to_pylist()], dtype=TIME)


def raw_rows(batch: pa.RecordBatch, rows: NDArray[np.intp]) -> list[dict[str, object]]:
    """The cells of some rows by column name, as text, number, or None: what JSON can hold."""
    return [{name: _plain(value) for name, value in row.items()} for row in batch.take(pa.array(rows, pa.int64())).to_pylist()]


def _number(cell: object) -> float:
    if cell is None or not str(cell).strip():
        return np.nan
    try:
        return float(str(cell))
    except ValueError:
        return np.inf


def _time(cell: object) -> datetime | None:
    try:
        time = datetime.fromisoformat(str(cell).strip())
    except ValueError:
        return None
    return time if time.tzinfo is None else None  # local time is what these files hold; an offset would be another meaning


def _plain(value: object) -> object:
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
