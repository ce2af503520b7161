"""Sums of what the stream says about quality: integers that add up to the same bits in any order.

Workers tally what they have committed; tallies may be merged in any number and order. That is what lets a detector raise the
same alarms at the same events live, after a restart, and in a backtest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from domain.entities.trips import Columns

Integers = NDArray[np.int64]

CHAMPION, SHADOW = 0, 1  # values of `role`
PICKUP, DROPOFF = 0, 1  # values of `end`
MICRO = 1_000_000


@dataclass(frozen=True, slots=True, eq=False)
class Sums(Columns):
    """Rows of integers: the first `KEYS` columns name a row, the others add up. Sorted by name, each name once."""

    KEYS = 1

    @classmethod
    def empty(cls) -> Self:
        """No row."""
        return cls(*(np.empty(0, dtype=np.int64) for _ in fields(cls)))

    @classmethod
    def merged(cls, parts: Sequence[Self]) -> Self:
        """The sums of several."""
        filled = [part for part in parts if len(part)]
        return filled[0] if len(filled) == 1 else cls.summed(filled)

    @classmethod
    def summed(cls, parts: Sequence[Self]) -> Self:
        """The sums of rows whose names repeat, within a part too."""
        return cls.concatenate(list(parts)).added() if parts else cls.empty()

    def added(self) -> Self:
        """Rows of one name added up."""
        if not len(self):
            return self
        columns = [getattr(self, field.name) for field in fields(self)]
        keys = columns[: self.KEYS]
        order = np.lexsort(keys[::-1])
        keys = [key[order] for key in keys]
        new = np.ones(len(order), dtype=np.bool_)
        new[1:] = np.logical_or.reduce([key[1:] != key[:-1] for key in keys])
        starts = np.flatnonzero(new)
        sums = (np.add.reduceat(column[order], starts) for column in columns[self.KEYS :])
        return type(self)(*(key[starts] for key in keys), *sums)

    def between(self, first: int, until: int) -> Self:
        """Rows of minutes in [first, until)."""
        minute: Integers = getattr(self, "minute")  # noqa: B009 - every kind of sums begins with it
        place, end = np.searchsorted(minute, (first, until))
        return self.take(slice(int(place), int(end)))

    def with_minute(self, minute: int) -> Self:
        """The same rows, all of that minute; names may repeat then."""
        columns = [getattr(self, field.name) for field in fields(self)]
        columns[0] = np.full(len(self), minute, dtype=np.int64)
        return type(self)(*columns)

    def as_lists(self) -> list[list[int]]:
        """Column by column, for JSON."""
        return [getattr(self, field.name).tolist() for field in fields(self)]

    @classmethod
    def from_lists(cls, columns: Sequence[Sequence[int]]) -> Self:
        """What `as_lists` gave."""
        return cls(*(np.array(column, dtype=np.int64) for column in columns))


@dataclass(frozen=True, slots=True, eq=False)
class Cells(Sums):
    """Predictions by cohort. `minute`: of the pickup, since 1970, UTC. Errors are predicted minus actual.

    `error`, `abs_error` in 0.1 s, `square_error` in (0.1 s)^2; `log_ratio` is ln(actual / predicted) in 1e-6, its square in
    1e-6. `covered`: settled trips inside their interval. A row with a version but without trips cannot be.
    """

    KEYS = 5

    minute: Integers
    role: Integers
    version: Integers
    area: Integers
    vendor_id: Integers
    started: Integers
    settled: Integers
    error: Integers
    abs_error: Integers
    square_error: Integers
    log_ratio: Integers
    square_log_ratio: Integers
    covered: Integers


@dataclass(frozen=True, slots=True, eq=False)
class Pairs(Sums):
    """Champion and shadow on the same settled trips, by pickup minute: sums of the difference of losses, in 1e-6.

    A loss is |error| up to LOSS_CAP_SECONDS, as a share of it; a positive difference means that the shadow was closer.
    """

    KEYS = 3

    minute: Integers
    champion: Integers
    shadow: Integers
    pairs: Integers
    difference: Integers
    square_difference: Integers


@dataclass(frozen=True, slots=True, eq=False)
class Flows(Sums):
    """Trips begun in a minute, and trips that ended in it, by bin of predicted duration; trips over two hours do not count."""

    KEYS = 2

    minute: Integers
    duration_bin: Integers
    started: Integers
    ended: Integers


@dataclass(frozen=True, slots=True, eq=False)
class Inputs(Sums):
    """What came in, by pickup minute; refused events by the newest pickup before them. Logarithms of km in 1e-6.

    `late`: starts LATE_SECONDS behind the newest pickup before them, by their place in the stream.
    """

    minute: Integers
    trips: Integers
    log_km: Integers
    square_log_km: Integers
    no_passengers: Integers
    refused: Integers
    late: Integers


@dataclass(frozen=True, slots=True, eq=False)
class Places(Sums):
    """Trips that began, by minute of pickup: once by the cell where they begin and once by the one where they lead.

    `predicted`: the champion's predictions, in 0.1 s. The loop decides nothing by them: they are for the map.
    """

    KEYS = 3

    minute: Integers
    end: Integers
    area: Integers
    trips: Integers
    predicted: Integers


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """All of it. Tallies add up."""

    cells: Cells
    pairs: Pairs
    flows: Flows
    inputs: Inputs
    places: Places = field(default_factory=Places.empty)

    @classmethod
    def empty(cls) -> "Tally":
        """Nothing has happened."""
        return cls(Cells.empty(), Pairs.empty(), Flows.empty(), Inputs.empty())

    @classmethod
    def merged(cls, parts: Sequence["Tally"]) -> "Tally":
        """The sum of several, in any order."""
        return cls(
            Cells.merged([part.cells for part in parts]),
            Pairs.merged([part.pairs for part in parts]),
            Flows.merged([part.flows for part in parts]),
            Inputs.merged([part.inputs for part in parts]),
            Places.merged([part.places for part in parts]),
        )

    def as_lists(self) -> dict[str, list[list[int]]]:
        """For JSON."""
        return {each.name: getattr(self, each.name).as_lists() for each in fields(self)}

    @classmethod
    def from_lists(cls, content: dict[str, list[list[int]]]) -> "Tally":
        """What `as_lists` gave, now or before there were places."""
        return cls(
            Cells.from_lists(content["cells"]),
            Pairs.from_lists(content["pairs"]),
            Flows.from_lists(content["flows"]),
            Inputs.from_lists(content["inputs"]),
            Places.from_lists(content["places"]) if "places" in content else Places.empty(),
        )
