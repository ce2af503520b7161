"""Rows in PostgreSQL's binary COPY format, made from columns by numpy: no Python object per value."""

from collections.abc import Sequence
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.generic] | bytes  # one value a row, or the wire format of one value that all rows share

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
POSTGRES_EPOCH = np.datetime64("2000-01-01", "us")


def encode(texts: Sequence[str], *columns: Column) -> memoryview:
    """A whole COPY of n rows: a text column, then columns of a fixed width, each of shape (n,).

    The width of a number decides its type: int16 is smallint, float32 real, float64 double precision; datetime64[us] is
    timestamptz. Rows whose texts have one length in bytes are laid out together, so that the order of rows may change.
    """
    words = [text.encode() for text in texts]
    lengths = np.fromiter(map(len, words), np.int64, len(words))
    parts = [HEADER]
    for length in np.unique(lengths).tolist():
        rows = np.flatnonzero(lengths == length)
        if len(rows) == len(words):
            parts.append(_same_length(words, length, columns))
        else:
            chosen = [column if isinstance(column, bytes) else column[rows] for column in columns]
            parts.append(_same_length([words[row] for row in rows], length, chosen))
    return memoryview(b"".join((*parts, TRAILER)))  # asyncpg takes bytes for the name of a file


def on_the_wire(value: np.generic | datetime) -> bytes:
    """One number or aware time in wire format, for a column that is the same in all rows."""
    if isinstance(value, datetime):
        value = np.datetime64(value.astimezone(UTC).replace(tzinfo=None), "us")
    return _big_endian(np.array([value])).tobytes()  # an array: numpy's scalars know no byte order


def _same_length(words: Sequence[bytes], length: int, columns: Sequence[Column]) -> bytes:
    values: list[Column] = [column if isinstance(column, bytes) else _big_endian(column) for column in columns]
    layout: list[tuple[str, object]] = [("fields", ">i2"), ("length", ">i4"), ("text", f"S{length}")]
    for number, value in enumerate(values):
        layout.append((f"length{number}", ">i4"))
        layout.append((f"value{number}", f"S{len(value)}" if isinstance(value, bytes) else value.dtype))
    table = np.empty(len(words), dtype=layout)
    table["fields"] = 1 + len(values)
    table["length"] = length
    table["text"] = words
    for number, value in enumerate(values):
        table[f"length{number}"] = len(value) if isinstance(value, bytes) else value.dtype.itemsize
        table[f"value{number}"] = value
    return table.tobytes()


def _big_endian(column: NDArray[np.generic]) -> NDArray[np.generic]:
    if column.dtype.kind == "M":
        column = (column.astype("datetime64[us]") - POSTGRES_EPOCH).astype(np.int64)
    return column.astype(column.dtype.newbyteorder(">"))
