"""Put the starts and ends of trips into the order in which they happened."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.entities.trips import CompletionColumns, Times, TripColumns


@dataclass(frozen=True, slots=True, eq=False)
class Timeline:
    """Two events for each of n trips, by event time; shape (2n,).

    `at`: when it happened. `row`: the trip's row. `ends`: whether it is the trip's end. A trip starts before it ends; events
    of one moment keep the order of the rows, starts first.
    """

    at: Times
    row: NDArray[np.intp]
    ends: NDArray[np.bool_]

    def __len__(self) -> int:
        """The number of events."""
        return len(self.at)


def timeline_of(trips: TripColumns, completions: CompletionColumns) -> Timeline:
    """The events of trips and their completions, row by row the same trips."""
    at = np.concatenate([trips.pickup_at, completions.dropoff_at])
    order = np.argsort(at, kind="stable")
    return Timeline(at[order], order % max(len(trips), 1), order >= len(trips))


def turn_end(at: np.datetime64, minutes: int) -> np.datetime64:
    """When the turn ends that this moment lies in; turns are counted from 1970, so that everybody divides time alike."""
    length, moment = minutes * 60_000_000, int(at.astype("datetime64[us]").astype(np.int64))
    return np.datetime64((moment // length + 1) * length, "us")
