"""What was scored before, told from a stream store in memory."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from domain.areas import AreaGrid
from domain.entities.predictions import PredictionColumns
from domain.entities.trips import TIME, Times, TripColumns
from domain.errors import DatabaseUnreachable
from domain.tallies import NO_VERSION, ScoredTrips, scored_trips
from tests.fakes.streams import InMemoryStreams, Trip


@dataclass
class InMemoryScoredHistory:
    """Implements `stream.ports.ScoredHistory`; counts the trips that it was asked for."""

    streams: InMemoryStreams
    grid: AreaGrid = field(default_factory=AreaGrid)
    asked: int = 0
    reachable: bool = True

    async def scored(self, trip_ids: Sequence[str], pickup_at: Times) -> ScoredTrips:
        self._reach()
        self.asked += len(trip_ids)
        stored = self.streams.state.trips
        named = [name for name, at in zip(trip_ids, pickup_at, strict=True) if name in stored and stored[name].facts[2] == at]
        rows = [self._row(name, stored[name]) for name in named if stored[name].prediction]
        return ScoredTrips.concatenate(rows) if rows else ScoredTrips.empty()

    async def newest_pickups(self, source_id: int, before: Mapping[int, int]) -> dict[int, np.datetime64]:
        self._reach()
        found: dict[int, np.datetime64] = {}
        for trip in self.streams.state.trips.values():
            if trip.record and trip.record[0] == source_id and trip.record[2] < before.get(trip.record[1], 0):
                partition, pickup_at = trip.record[1], np.datetime64(trip.facts[2], "us")  # type: ignore[call-overload]
                found[partition] = max(found.get(partition, pickup_at), pickup_at)
        return found

    def _reach(self) -> None:
        if not self.reachable:
            raise DatabaseUnreachable("the test has switched the database off")

    def _row(self, trip_id: str, trip: Trip) -> ScoredTrips:
        dtypes = (np.int16, np.int16, TIME, *(np.float64,) * 4)
        facts: Any = zip(trip.facts, dtypes, strict=True)
        trips = TripColumns(np.array([trip_id], dtype=object), *(np.array([fact], dtype=dtype) for fact, dtype in facts))
        seconds, shadowed = trip.prediction or (), trip.shadow or trip.prediction or ()
        version = trip.stamp.version if trip.stamp else NO_VERSION
        shadow_version = trip.shadow_stamp.version if trip.shadow_stamp else NO_VERSION
        predictions, shadow = (
            PredictionColumns(trips.trip_id, *(np.array([part], dtype=np.float32) for part in said))
            for said in (seconds, shadowed)
        )
        scored = scored_trips(trips, predictions, version, self.grid, (shadow_version, shadow))
        return replace(scored, version=np.array([version], dtype=np.int32))
