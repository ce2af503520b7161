"""Trips as columns: what is known when a trip starts, and what is known when it ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

Strings = NDArray[np.object_]
Times = NDArray[np.datetime64]
Floats = NDArray[np.float64]
Shorts = NDArray[np.int16]
Index = NDArray[np.bool_] | NDArray[np.intp] | slice

TIME = np.dtype("datetime64[us]")
SECOND = np.timedelta64(1_000_000, "us")


class Columns:
    """Base of frozen column dataclasses: every field is an array of one common length n."""

    __slots__ = ()
    # The fields' names in order, as dataclasses note them; `fields()` would cost a single trip as much as its features do.
    __match_args__: ClassVar[tuple[str, ...]]

    def __len__(self) -> int:
        """The number of rows."""
        return len(getattr(self, self.__match_args__[0]))

    def take(self, rows: Index) -> Self:
        """The rows selected by a mask of shape (n,), by positions, in that order, or by a slice, which copies nothing."""
        return type(self)(*(getattr(self, name)[rows] for name in self.__match_args__))

    @classmethod
    def concatenate(cls, parts: "list[Self]") -> Self:
        """All rows of one or more parts, in order."""
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in cls.__match_args__))


@dataclass(frozen=True, slots=True, eq=False)
class TripColumns(Columns):
    """Started trips: everything known at the pickup, nothing known only later. All arrays have shape (n,).

    trip_id: str objects. vendor_id, passenger_count: int16. pickup_at: datetime64[us] in UTC.
    Latitudes and longitudes: float64 degrees, WGS84.
    """

    trip_id: Strings
    vendor_id: Shorts
    passenger_count: Shorts
    pickup_at: Times
    pickup_latitude: Floats
    pickup_longitude: Floats
    dropoff_latitude: Floats
    dropoff_longitude: Floats


@dataclass(frozen=True, slots=True, eq=False)
class CompletionColumns(Columns):
    """Completed trips. All arrays have shape (n,): trip_id as str objects, both times datetime64[us] in UTC."""

    trip_id: Strings
    pickup_at: Times
    dropoff_at: Times

    @property
    def duration_seconds(self) -> Floats:
        """Shape (n,), seconds from pickup to dropoff; negative when the meter was wrong."""
        return np.asarray((self.dropoff_at - self.pickup_at) / SECOND, dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class RecordColumns(Columns):
    """Where rows came from in the stream. Shape (n,): partition int32, offset int64."""

    partition: NDArray[np.int32]
    offset: NDArray[np.int64]


def times_of(instants: Sequence[datetime]) -> Times:
    """Aware instants as UTC; exact to the microsecond within centuries of now, where a float64 of seconds has room for it."""
    seconds = np.fromiter(map(datetime.timestamp, instants), np.float64, len(instants))
    return np.rint(seconds * 1e6).astype(np.int64).astype(TIME)
