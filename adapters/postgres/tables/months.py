"""Months of history: partitions that come into being when a pickup first needs them, and the look-ups that need not see all.

Months are UTC, as numpy counts them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import numpy as np
from asyncpg import InvalidParameterValueError
from numpy.typing import NDArray

from adapters.postgres.connection.pool import Pool, connected
from domain.entities.trips import Times
from domain.errors import InvalidInput

ENSURE = "select ensure_history_month($1)"
DAY = np.timedelta64(1, "D")
MONTH = "datetime64[M]"


@dataclass(slots=True)
class Months:
    """The months that this process knows to be there. A prune elsewhere may drop one: then `forget`, and ensure again."""

    pool: Pool
    _known: set[np.datetime64] = field(default_factory=set)

    async def ensure(self, *pickups: Times) -> None:
        """Create the months of these pickups that are not there.

        Idempotent, safe from several processes at once; free when all are known. Raises DatabaseUnreachable, and InvalidInput
        for times that no trip can have.
        """
        for month in sorted({month for times in pickups for month in months_of(times)} - self._known):
            async with connected(self.pool) as connection:
                try:
                    await connection.execute(ENSURE, month.astype(date))
                except InvalidParameterValueError as error:
                    raise InvalidInput(f"no trip can have a pickup in {month}") from error
            self._known.add(month)

    def forget(self) -> None:
        """A month was not there after all."""
        self._known.clear()


@dataclass(frozen=True, slots=True, eq=False)
class Window:
    """Rows of a batch, and the span [since, until) of whole months in which a trip of the same id is the same trip."""

    since: datetime
    until: datetime
    rows: NDArray[np.intp]


def months_of(times: Times) -> set[np.datetime64]:
    """The months in which these times lie."""
    if not len(times):
        return set()
    first, last = times.min().astype(MONTH), times.max().astype(MONTH)
    return {first} if first == last else set(np.unique(times.astype(MONTH)))


def windows_of(times: Times) -> Iterator[Window]:
    """Rows whose trips are looked for in the same months: their own, and the next one within a day of its border.

    Each with bounds that are constants of its query, so that the planner leaves out all other months.
    """
    if not len(times):
        return
    firsts, lasts = (times - DAY).astype(MONTH), (times + DAY).astype(MONTH)
    if firsts.min() == firsts.max() and lasts.min() == lasts.max():  # nearly every batch
        yield Window(start_of(firsts[0]), start_of(lasts[0] + 1), np.arange(len(times)))
        return
    _, first_rows, window_of = np.unique(
        np.stack([firsts, lasts], axis=1).astype(np.int64), axis=0, return_index=True, return_inverse=True
    )
    for number, row in enumerate(first_rows.tolist()):
        yield Window(start_of(firsts[row]), start_of(lasts[row] + 1), np.flatnonzero(window_of.ravel() == number))


def bounds_of(times: Times) -> tuple[datetime, datetime]:
    """The whole months [since, until) in which all of these times lie; there is at least one."""
    return start_of(times.min().astype(MONTH)), start_of(times.max().astype(MONTH) + 1)


def start_of(month: np.datetime64) -> datetime:
    """Its first instant."""
    first: date = month.astype(MONTH).astype(date)
    return datetime(first.year, first.month, first.day, tzinfo=UTC)
