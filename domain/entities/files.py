"""What a trip file holds, a batch of rows at a time: the trips that can be true, and the rows that cannot, with the reason."""

from dataclasses import dataclass
from typing import NamedTuple

from domain.entities.rejections import Reason
from domain.entities.trips import CompletionColumns, TripColumns


class RejectedRow(NamedTuple):
    """A refused row: its number in the file (the first data row is 1), why, and its cells as they stood there."""

    number: int
    reason: Reason
    row: dict[str, object]


class LoadedRow(NamedTuple):
    """A refused row and the name of the file that it was in."""

    file: str
    refused: RejectedRow


@dataclass(frozen=True, slots=True, eq=False)
class TripBatch:
    """The rows of one stretch of a file. `trips` and `completions` have one length and one order, that of the file.

    `rows` counts accepted and rejected rows; `progress` is the share of the file that was read by then, from 0 to 1.
    """

    trips: TripColumns
    completions: CompletionColumns
    rejected: tuple[RejectedRow, ...]
    rows: int
    progress: float


@dataclass(frozen=True, slots=True)
class LoadedFile:
    """The ledger's line about a file: of its `rows`, `accepted` are stored and `rejected` were refused, by reason's name.

    What is in neither belongs to a part of the file that was not asked for. `sha256` is of the file's bytes.
    """

    sha256: str
    name: str
    layout: str
    rows: int
    accepted: int
    rejected: dict[str, int]
