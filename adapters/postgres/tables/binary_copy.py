"""Columns to and from PostgreSQL's binary COPY format by numpy: no Python object per value."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

Column = NDArray[Any] | bytes  # one value a row, or the wire format of one value that all rows share

HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER = b"\xff\xff"
BLOCK_ROWS = 65_536
NULL = -1  # the length of a value that is none
_ESCAPED = re.compile(r"\\(.)")
_ESCAPES = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
POSTGRES_EPOCH = np.datetime64("2000-01-01", "us")


def encode(texts: Sequence[str | None], *columns: Column) -> memoryview:
    """A whole COPY of n rows: a text column (None: null), then other columns, each of shape (n,).

    The width of a number decides its type: int16 is smallint, float32 real, float64 double precision; datetime64[us] is
    timestamptz (NaT: null), 16 raw bytes are a uuid, str objects are text (None: null). Rows of one layout, with texts of the
    same lengths in bytes, are laid out together, so that the order of rows may change.
    """
    words = [None if text is None else text.encode() for text in texts]
    lengths = np.array([NULL if word is None else len(word) for word in words], dtype=np.int64)
    layouts = _layouts([lengths, *(widths for column in columns if (widths := _widths(column)) is not None)])
    parts = [HEADER]
    for layout in np.unique(layouts).tolist():
        rows = np.flatnonzero(layouts == layout)
        length = int(lengths[rows[0]])
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


def copied_text(content: bytes) -> list[str]:
    """The values of a query's only column, from its COPY in text format."""
    values = content.decode().split("\n")[:-1]
    if b"\\" in content:
        return [_ESCAPED.sub(lambda found: _ESCAPES.get(found[1], found[1]), value) for value in values]
    return values


class FixedRows:
    """Collects the binary COPY of a query whose columns have a fixed width and no nulls, as blocks of rows."""

    def __init__(self, *columns: tuple[str, str]) -> None:
        """Each column has a name and a numpy type without byte order, such as `i2`, `f8`, or `i8` for timestamptz."""
        self._layout = np.dtype([("fields", ">i2"), *_with_lengths(columns)])
        self._pending = bytearray()
        self._at = len(HEADER)
        self._blocks: list[NDArray[np.void]] = []

    async def write(self, content: bytes) -> None:
        """Take the next piece, however the connection cut it."""
        self._pending += content
        width = self._layout.itemsize
        count = (len(self._pending) - self._at) // width
        if count > BLOCK_ROWS:
            self._take(count)

    def column(self, name: str) -> NDArray[Any]:
        """All values of a column in the machine's byte order, shape (n,)."""
        self._take((len(self._pending) - self._at - len(TRAILER)) // self._layout.itemsize)
        native = self._layout[name].newbyteorder("=")
        return np.concatenate([np.empty(0, native), *(block[name].astype(native) for block in self._blocks)])

    def times(self, name: str) -> NDArray[np.datetime64]:
        """All values of a timestamptz column in UTC, shape (n,)."""
        return self.column(name).astype("timedelta64[us]") + POSTGRES_EPOCH

    def _take(self, count: int) -> None:
        if count > 0:
            end = self._at + count * self._layout.itemsize
            block = np.frombuffer(bytes(self._pending[self._at : end]), dtype=self._layout)
            self._blocks.append(block)
            del self._pending[:end]
            self._at = 0


def _with_lengths(columns: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [item for name, kind in columns for item in ((f"length of {name}", ">i4"), (name, f">{kind}"))]


def _layouts(widths: Sequence[NDArray[np.int64]]) -> NDArray[np.int64]:
    """One number for each combination of widths that occurs, shape (n,)."""
    found = widths[0]
    for more in widths[1:]:
        _, before = np.unique(found, return_inverse=True)  # small numbers again: nothing overflows
        found = before * (more.max(initial=NULL) + 2) + more + 1
    return found


def _widths(column: Column) -> NDArray[np.int64] | None:
    """How long each value is, NULL for one that is none; None where all have one width."""
    if isinstance(column, bytes):
        return None
    if column.dtype.kind == "O":
        return np.array([NULL if value is None else len(value.encode()) for value in column.tolist()], dtype=np.int64)
    if column.dtype.kind == "M" and (missing := np.isnat(column)).any():
        return np.where(missing, NULL, 0)
    return None


def _same_length(words: Sequence[bytes | None], length: int, columns: Sequence[Column]) -> bytes:
    values = [_on_one_width(column) for column in columns]
    layout: list[tuple[str, object]] = [("fields", ">i2"), ("length", ">i4")]
    if length != NULL:
        layout.append(("text", f"S{length}"))
    for number, value in enumerate(values):
        layout.append((f"length{number}", ">i4"))
        if value is not None:
            layout.append((f"value{number}", f"S{len(value)}" if isinstance(value, bytes) else value.dtype))
    table = np.empty(len(words), dtype=layout)
    table["fields"] = 1 + len(values)
    table["length"] = length
    if length != NULL:
        table["text"] = words
    for number, value in enumerate(values):
        if value is None:
            table[f"length{number}"] = NULL
            continue
        table[f"length{number}"] = len(value) if isinstance(value, bytes) else value.dtype.itemsize
        table[f"value{number}"] = value
    return table.tobytes()


def _on_one_width(column: Column) -> Column | None:
    """As it is sent; None: all rows are null."""
    if isinstance(column, bytes):
        return column
    if column.dtype.kind == "O":
        values = column.tolist()
        return np.array([value.encode() for value in values], np.bytes_) if values and values[0] is not None else None
    if column.dtype.kind == "M" and len(column) and np.isnat(column[0]):
        return None
    return _big_endian(column)


def _big_endian(column: NDArray[np.generic]) -> NDArray[np.generic]:
    if column.dtype.kind == "M":
        column = (column.astype("datetime64[us]") - POSTGRES_EPOCH).astype(np.int64)
    return column.astype(column.dtype.newbyteorder(">"))
