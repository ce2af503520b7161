"""Trips that began lately and have not ended, so that a completion finds what was predicted without asking the database."""

from dataclasses import fields
from itertools import repeat
from typing import Any

import numpy as np
from numpy.typing import NDArray

from domain.entities.trips import Strings
from domain.tallies import ScoredTrips

CAPACITY = 200_000  # starts; about 30 MB


class PendingStarts:
    """A ring of the last `capacity` starts, by trip id. What it has forgotten is in the database: a miss costs a look-up.

    A trip that is taken is forgotten, for it ends once.
    """

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._columns: dict[str, NDArray[Any]] = {}
        self._slot_of: dict[str, int] = {}
        self._next = 0

    def __len__(self) -> int:
        """How many it holds."""
        return len(self._slot_of)

    def add(self, started: ScoredTrips) -> None:
        """Remember these, and forget the oldest when there is no room."""
        rows = started.take(slice(-self._capacity, None))
        if not len(rows):
            return
        if not self._columns:
            self._columns = {
                field.name: np.zeros(self._capacity, getattr(rows, field.name).dtype) for field in fields(ScoredTrips)
            }
        room = self._capacity - self._next
        self._put(rows.take(slice(room)))
        self._put(rows.take(slice(room, None)))

    def take(self, trip_id: Strings) -> tuple[ScoredTrips, NDArray[np.bool_]]:
        """The starts of these trips, as far as they are known, and which they are: a mask of shape (n,)."""
        slots = np.array(list(map(self._slot_of.pop, trip_id.tolist(), repeat(-1))), dtype=np.intp)
        known = slots >= 0
        if not known.any():
            return ScoredTrips.empty(), known
        found = ScoredTrips(*(self._columns[field.name][slots[known]] for field in fields(ScoredTrips)))
        self._columns["trip_id"][slots[known]] = None
        return found, known

    def _put(self, rows: ScoredTrips) -> None:
        """Rows that fit before the ring's end; whatever was in their place is forgotten."""
        slots = slice(self._next, self._next + len(rows))
        for name in filter(None, self._columns["trip_id"][slots].tolist()):
            del self._slot_of[name]
        for name, column in self._columns.items():
            column[slots] = getattr(rows, name)
        self._slot_of.update(zip(rows.trip_id.tolist(), range(slots.start, slots.stop), strict=True))
        self._next = slots.stop % self._capacity
