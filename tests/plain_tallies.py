"""Tallies by a plain loop over single trips: slow, and written apart from what it checks."""

from collections.abc import Iterable
from dataclasses import dataclass, fields

import numpy as np

from domain.sums import Sums, Tally
from domain.tallies import ScoredTrips

Sum = dict[tuple[int, ...], tuple[int, ...]]
Seconds = tuple[float, float, float]  # duration, lower, upper

KINDS = ("cells", "pairs", "flows", "inputs", "places")
EDGES = (120, 180, 240, 320, 420, 540, 680, 860, 1100, 1400, 1800, 2400, 3600)


@dataclass(frozen=True)
class PlainTrip:
    trip_id: str
    pickup_us: int
    area: int
    dropoff_area: int
    vendor_id: int
    log_km: float
    no_passengers: bool
    version: int
    seconds: Seconds
    shadow_version: int
    shadow_seconds: Seconds


class PlainTally:
    """Adds one thing at a time; `sums` is what came of it, by kind and name of the row."""

    def __init__(self) -> None:
        self._sums: dict[str, dict[tuple[int, ...], list[int]]] = {kind: {} for kind in KINDS}
        self.newest: int | None = None  # of the partition that is being told

    @property
    def sums(self) -> dict[str, Sum]:
        return {kind: {name: tuple(row) for name, row in rows.items()} for kind, rows in self._sums.items()}

    def start(self, trip: PlainTrip) -> None:
        minute = _minute(trip.pickup_us)
        self._add("cells", (minute, 0, trip.version, trip.area, trip.vendor_id), started=1)
        if trip.shadow_version:
            self._add("cells", (minute, 1, trip.shadow_version, trip.area, trip.vendor_id), started=1)
        self._row("flows", (minute, _bin(trip.seconds[0])), 1, 0)
        for end, area in enumerate((trip.area, trip.dropoff_area)):
            self._row("places", (minute, end, area), 1, round(trip.seconds[0] * 10))
        late = self.newest is not None and (self.newest - trip.pickup_us) / 1e6 > 1200
        micro = (_micro(trip.log_km), _micro(trip.log_km * trip.log_km))
        self._row("inputs", (minute,), 1, *micro, int(trip.no_passengers), 0, int(late))
        self.newest = trip.pickup_us if self.newest is None else max(self.newest, trip.pickup_us)

    def refuse(self) -> None:
        if self.newest is not None:
            self._row("inputs", (_minute(self.newest),), 0, 0, 0, 0, 1, 0)

    def end(self, trip: PlainTrip, dropoff_us: int) -> None:
        minute, actual = _minute(trip.pickup_us), (dropoff_us - trip.pickup_us) / 1e6
        self._settle((minute, 0, trip.version, trip.area, trip.vendor_id), trip.seconds, actual)
        if actual < 7200:
            self._row("flows", (_minute(dropoff_us), _bin(trip.seconds[0])), 0, 1)
        if trip.shadow_version:
            self._settle((minute, 1, trip.shadow_version, trip.area, trip.vendor_id), trip.shadow_seconds, actual)
            losses = [min(abs(said[0] - actual), 1800.0) / 1800.0 for said in (trip.seconds, trip.shadow_seconds)]
            difference = losses[0] - losses[1]
            key = (minute, trip.version, trip.shadow_version)
            self._row("pairs", key, 1, _micro(difference), _micro(difference * difference))

    def _settle(self, key: tuple[int, ...], said: Seconds, actual: float) -> None:
        error = round((said[0] - actual) * 10)
        ratio = float(np.log(max(actual, 1.0) / max(said[0], 1.0)))
        self._add(
            "cells",
            key,
            settled=1,
            error=error,
            abs_error=abs(error),
            square_error=error * error,
            log_ratio=_micro(ratio),
            square_log_ratio=_micro(ratio * ratio),
            covered=int(said[1] <= actual <= said[2]),
        )

    def _add(self, kind: str, key: tuple[int, ...], **values: int) -> None:
        names = (
            "started",
            "settled",
            "error",
            "abs_error",
            "square_error",
            "log_ratio",
            "square_log_ratio",
            "covered",
        )
        self._row(kind, key, *(values.get(name, 0) for name in names))

    def _row(self, kind: str, key: tuple[int, ...], *values: int) -> None:
        row = self._sums[kind].setdefault(key, [0] * len(values))
        for place, value in enumerate(values):
            row[place] += value


def plain_trips(trips: ScoredTrips) -> list[PlainTrip]:
    """The same, one by one."""
    return [
        PlainTrip(
            trips.trip_id[row],
            int(trips.pickup_at[row].astype(np.int64)),
            int(trips.area[row]),
            int(trips.dropoff_area[row]),
            int(trips.vendor_id[row]),
            float(trips.log_km[row]),
            bool(trips.no_passengers[row]),
            int(trips.version[row]),
            (float(trips.duration_seconds[row]), float(trips.lower_seconds[row]), float(trips.upper_seconds[row])),
            int(trips.shadow_version[row]),
            (
                float(trips.shadow_duration_seconds[row]),
                float(trips.shadow_lower_seconds[row]),
                float(trips.shadow_upper_seconds[row]),
            ),
        )
        for row in range(len(trips))
    ]


def sums_of(tally: Tally) -> dict[str, Sum]:
    """A tally as the plain one tells its own. A name that occurs twice fails."""
    return {field.name: _sum(getattr(tally, field.name)) for field in fields(Tally)}


def _sum(sums: Sums) -> Sum:
    rows: Iterable[tuple[int, ...]] = zip(*sums.as_lists(), strict=True)
    told = [(row[: sums.KEYS], row[sums.KEYS :]) for row in rows]
    assert len(dict(told)) == len(told)
    return dict(told)


def _minute(microseconds: int) -> int:
    return microseconds // 60_000_000


def _bin(seconds: float) -> int:
    return sum(seconds >= edge for edge in EDGES)


def _micro(value: float) -> int:
    return round(value * 1_000_000)
