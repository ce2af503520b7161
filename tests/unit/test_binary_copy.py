"""PostgreSQL's binary COPY, written and read as columns; the server itself judges it in the integration tests."""

import struct
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from adapters.postgres.tables import binary_copy
from adapters.postgres.tables.binary_copy import HEADER, TRAILER, FixedRows, copied_text, encode, on_the_wire


def test_a_row_is_its_fields_each_with_its_length() -> None:
    content = encode(["é"], np.array([7], dtype=np.int16), b"const", np.array([0.5], dtype=np.float32))
    fields = struct.pack(">hi2sihi5sif", 4, 2, "é".encode(), 2, 7, 5, b"const", 4, 0.5)
    assert bytes(content) == HEADER + fields + TRAILER


def test_no_rows_are_a_header_and_a_trailer() -> None:
    assert bytes(encode([], np.empty(0, dtype=np.int64))) == HEADER + TRAILER


def test_rows_keep_together_when_texts_differ_in_length() -> None:
    texts = ["a", "bbb", "cc", "d", "eee"]
    content = bytes(encode(texts, np.arange(5, dtype=np.int64)))
    for number, text in enumerate(texts):
        assert struct.pack(f">hi{len(text)}siq", 2, len(text), text.encode(), 8, number) in content


def test_what_is_missing_has_no_bytes_wherever_it_stands() -> None:
    texts: list[str | None] = ["a", None, "bb", "c", "dd"]
    times = np.array(["2000-01-01T00:00:00.000001", "NaT", "NaT", "2000-01-01", "2000-01-01"], dtype="datetime64[us]")
    words = np.array(["é", None, "x", None, "x"], dtype=object)
    content = bytes(encode(texts, times, words))
    a, x = struct.pack(">i1s", 1, b"a"), struct.pack(">i1s", 1, b"x")
    rows = [
        struct.pack(">h", 3) + a + struct.pack(">iqi2s", 8, 1, 2, "é".encode()),
        struct.pack(">hiii", 3, -1, -1, -1),
        struct.pack(">hi2si", 3, 2, b"bb", -1) + x,
        struct.pack(">hi1siqi", 3, 1, b"c", 8, 0, -1),
        struct.pack(">hi2siq", 3, 2, b"dd", 8, 0) + x,
    ]
    assert len(content) == len(HEADER + TRAILER) + sum(map(len, rows))
    assert all(row in content for row in rows)
    nothing = np.array([None, None], dtype=object)
    assert bytes(encode(["a", "b"], nothing)).count(struct.pack(">i", -1)) == 2


@pytest.mark.parametrize(
    "time",
    [
        datetime(2016, 3, 1, 17, 0, 1, 234567, tzinfo=UTC),
        datetime(2016, 3, 1, 12, 0, 1, 234567, tzinfo=timezone(timedelta(hours=-5))),
    ],
)
def test_times_are_microseconds_since_2000_to_the_last_digit(time: datetime) -> None:
    microseconds = (time - datetime(2000, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    assert on_the_wire(time) == struct.pack(">q", microseconds)
    column = np.array([time.astimezone(UTC).replace(tzinfo=None)], dtype="datetime64[us]")
    assert struct.pack(">q", microseconds) in bytes(encode(["x"], column))


@pytest.mark.parametrize("piece", [1, 7, 26, 1000])
async def test_rows_are_read_however_the_connection_cuts_them(piece: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(binary_copy, "BLOCK_ROWS", 3)
    rows = [struct.pack(">hihiq", 2, 2, number, 8, -number) for number in range(20)]
    content = HEADER + b"".join(rows) + TRAILER
    collected = FixedRows(("small", "i2"), ("at", "i8"))
    for start in range(0, len(content), piece):
        await collected.write(content[start : start + piece])
    assert collected.column("small").tolist() == list(range(20))
    assert collected.column("small").dtype == np.dtype(np.int16)
    assert collected.times("at")[3] == np.datetime64("2000-01-01", "us") - np.timedelta64(3, "us")


async def test_a_query_without_rows_has_empty_columns() -> None:
    collected = FixedRows(("number", "f8"))
    await collected.write(HEADER + TRAILER)
    assert collected.column("number").shape == (0,)


def test_copied_text_is_unescaped() -> None:
    assert copied_text(b"plain\n") == ["plain"]
    assert copied_text(b"") == []
    assert copied_text(rb"a\tb\\n\nc" + b"\n" + b"second\n") == ["a\tb\\n\nc", "second"]
