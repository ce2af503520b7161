"""The simulated city's past, as something that `LoadFiles` can load."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from domain.city.city import City, CityTrips
from domain.entities.files import RejectedRow, TripBatch
from domain.quality import TripRules


@dataclass(frozen=True, slots=True)
class SimulatedHistory:
    """`count` trips of the `days` before `until` (UTC); the same for the same city, with the rows that break the rules."""

    city: City
    rules: TripRules
    count: int
    until: np.datetime64
    days: int

    @property
    def layout_name(self) -> str:
        """What the ledger calls it."""
        return "simulated"

    def sha256(self) -> str:
        """A hash of all that makes the history."""
        content = f"{self.city} {self.rules} {self.count} {self.until} {self.days}"
        return hashlib.sha256(content.encode()).hexdigest()

    def batches(self, now: datetime) -> Iterator[TripBatch]:
        """A day at a time."""
        rows = 0
        for day in self.city.history(self.count, self.until, self.days):
            yield self._batch(day, rows, now)
            rows += len(day.trips)

    def _batch(self, day: CityTrips, rows_before: int, now: datetime) -> TripBatch:
        verdicts = self.rules.judge_whole(day.trips, day.completions, now)
        refused = [row for row, verdict in enumerate(verdicts) if verdict is not None]
        rejected = (RejectedRow(rows_before + row + 1, verdicts[row], _row(day, row)) for row in refused)
        accepted = np.ones(len(verdicts), dtype=np.bool_)
        accepted[refused] = False
        progress = (rows_before + len(verdicts)) / max(self.count, 1)
        return TripBatch(day.trips.take(accepted), day.completions.take(accepted), tuple(rejected), len(verdicts), progress)


def _row(day: CityTrips, row: int) -> dict[str, object]:
    trips = day.trips
    return {
        "id": trips.trip_id[row],
        "pickup_at": str(trips.pickup_at[row]),
        "dropoff_at": str(day.completions.dropoff_at[row]),
        "passenger_count": int(trips.passenger_count[row]),
        "pickup_latitude": float(trips.pickup_latitude[row]),
        "pickup_longitude": float(trips.pickup_longitude[row]),
        "dropoff_latitude": float(trips.dropoff_latitude[row]),
        "dropoff_longitude": float(trips.dropoff_longitude[row]),
    }
