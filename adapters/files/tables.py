"""Read a CSV or parquet file as a stream of record batches, whatever its size, with the number of every row."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from domain.errors import InvalidInput

BATCH_ROWS = 65_536
_CSV_BLOCK_BYTES = 8 * 1024 * 1024
_PARQUET_MAGIC = b"PAR1"


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """A stretch of a table. `numbers`: shape (n,), 1 for the first data row. `malformed`: rows with too few or many cells."""

    cells: pa.RecordBatch
    numbers: NDArray[np.int64]
    malformed: tuple[tuple[int, str], ...]
    progress: float


class Table(Protocol):
    """A file of rows and named columns; reading it again gives the same rows."""

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns, in the file's order."""
        ...

    def rows(self, columns: Sequence[str]) -> Iterator[Rows]:
        """All rows, those columns only, in stretches of bounded size. Raises InvalidInput when the file is damaged."""
        ...


def open_table(path: Path) -> Table:
    """Open by content, not by name. Raises InvalidInput when the file cannot be read as either kind."""
    try:
        with path.open("rb") as file:
            magic = file.read(len(_PARQUET_MAGIC))
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from error
    if not magic:
        raise InvalidInput(f"{path} is not a trips file: it is empty")
    return ParquetTable(path) if magic == _PARQUET_MAGIC else CsvTable(path)


class ParquetTable:
    """A parquet file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _readable(path), pa.parquet.ParquetFile(path) as file:
            self.columns: Sequence[str] = file.schema_arrow.names

    def rows(self, columns: Sequence[str]) -> Iterator[Rows]:
        """See Table."""
        with _readable(self._path), pa.parquet.ParquetFile(self._path) as file:
            first, total = 1, max(file.metadata.num_rows, 1)
            for batch in file.iter_batches(batch_size=BATCH_ROWS, columns=list(columns), use_threads=False):
                numbers = np.arange(first, first + batch.num_rows)
                first += batch.num_rows
                yield Rows(batch, numbers, (), (first - 1) / total)


class CsvTable:
    """A comma-separated file with a header, in UTF-8; every cell is given as the text that stands there."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with _readable(path), path.open("rb") as file, pa.csv.open_csv(file, read_options=_one_thread()) as reader:
            self.columns: Sequence[str] = reader.schema.names

    def rows(self, columns: Sequence[str]) -> Iterator[Rows]:
        """See Table."""
        numbering = _Numbering()
        size = self._path.stat().st_size
        with _readable(self._path), self._path.open("rb") as file, self._reader(file, columns, numbering) as reader:
            for batch in reader:
                yield Rows(batch, numbering.next(batch.num_rows), numbering.malformed(), file.tell() / size)
            if trailing := numbering.malformed():
                yield Rows(pa.RecordBatch.from_pylist([], schema=reader.schema), numbering.next(0), trailing, 1.0)

    def _reader(self, file: BinaryIO, columns: Sequence[str], numbering: "_Numbering") -> pa.csv.CSVStreamingReader:
        return pa.csv.open_csv(
            file,
            read_options=_one_thread(),
            parse_options=pa.csv.ParseOptions(invalid_row_handler=numbering.skip),
            convert_options=pa.csv.ConvertOptions(
                include_columns=list(columns),
                column_types=dict.fromkeys(columns, pa.string()),  # one wrong cell must not fail its whole column
                strings_can_be_null=False,  # "NA" and "N/A" are names
            ),
        )


class _Numbering:
    """Gives rows their numbers, leaving out those of rows that had too few or too many cells."""

    def __init__(self) -> None:
        self._next = 1
        self._skipped: list[int] = []
        self._unreported: list[tuple[int, str]] = []

    def skip(self, row: pa.csv.InvalidRow) -> Literal["skip"]:
        """Note a malformed row; the reader calls it ahead of the batch that the row stood in."""
        number = (row.number or 0) - 1  # the reader counts the header; with one thread it knows the number
        self._skipped.append(number)
        self._unreported.append((number, row.text))
        return "skip"

    def next(self, count: int) -> NDArray[np.int64]:
        """The numbers of the next `count` well-formed rows."""
        numbers = np.arange(self._next, self._next + count + len(self._skipped), dtype=np.int64)
        numbers = numbers[~np.isin(numbers, self._skipped)][:count]
        if count:
            self._next = int(numbers[-1]) + 1
            self._skipped = [number for number in self._skipped if number >= self._next]
        return numbers

    def malformed(self) -> tuple[tuple[int, str], ...]:
        """Number and text of the malformed rows that were not reported yet."""
        found, self._unreported = tuple(self._unreported), []
        return found


def _one_thread() -> pa.csv.ReadOptions:
    """Only a single reader knows the numbers of rows."""
    return pa.csv.ReadOptions(use_threads=False, block_size=_CSV_BLOCK_BYTES)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not a trips file: {str(error).splitlines()[0]}") from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}") from error
