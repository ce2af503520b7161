"""Read a CSV or parquet file as a stream of record batches, whatever its size, with the number of every row."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, Protocol, cast

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
from numpy.typing import NDArray

from domain.errors import InvalidInput

BATCH_ROWS = 65_536
_CSV_BLOCK_BYTES = 8 * 1024 * 1024
# Arrow's threads read ahead in Python's own objects; a short command that ended meanwhile was aborted, 3 times of 150.
_ONE_THREAD = pa.csv.ReadOptions(use_threads=False)
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
    """A comma-separated file with a header, in UTF-8; every cell is given as the text that stands there.

    Arrow's own streaming reader would run 32 blocks ahead of us; cutting the blocks here keeps one in memory, and tells
    how far we are.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with _readable(path), path.open("rb") as file:
            self._header = file.readline()
            self.columns: Sequence[str] = pa.csv.read_csv(_source(self._header), read_options=_ONE_THREAD).column_names

    def rows(self, columns: Sequence[str]) -> Iterator[Rows]:
        """See Table."""
        first, size = 1, self._path.stat().st_size
        with _readable(self._path), self._path.open("rb") as file:
            file.seek(len(self._header))
            while block := file.read(_CSV_BLOCK_BYTES):
                malformed: list[tuple[int, str]] = []
                cells = self._parsed(block + file.readline(), columns, malformed)
                numbers = np.arange(cells.num_rows + len(malformed))
                numbers = np.delete(numbers, [number for number, _ in malformed]) + first
                yield Rows(cells, numbers, tuple((first + number, text) for number, text in malformed), file.tell() / size)
                first += cells.num_rows + len(malformed)

    def _parsed(self, lines: bytes, columns: Sequence[str], malformed: list[tuple[int, str]]) -> pa.RecordBatch:
        """Whole lines as columns of text; rows with too few or too many cells go, counted from 0, into `malformed`."""

        def skip(row: pa.csv.InvalidRow) -> Literal["skip"]:
            malformed.append(((row.number or 0) - 2, row.text))  # the header is row 1; one thread knows the numbers
            return "skip"

        table = pa.csv.read_csv(
            _source(self._header + lines),
            read_options=_ONE_THREAD,
            parse_options=pa.csv.ParseOptions(invalid_row_handler=skip),
            convert_options=pa.csv.ConvertOptions(
                include_columns=list(columns),
                column_types=dict.fromkeys(columns, pa.string()),  # one wrong cell must not fail its whole column
                strings_can_be_null=False,  # "NA" and "N/A" are names
            ),
        )
        return table.combine_chunks().to_batches()[0] if table.num_rows else pa.RecordBatch.from_pylist([], table.schema)


def _source(lines: bytes) -> IO[bytes]:
    source: Any = pa.BufferReader(lines)  # a file to Arrow, which its stubs do not know
    return cast("IO[bytes]", source)


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise InvalidInput(f"{path} is not a trips file: {str(error).splitlines()[0]}") from error
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror or error}") from error
