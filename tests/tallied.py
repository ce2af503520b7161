"""Tallies for tests: random trips as a worker would tally them, without a worker."""

from dataclasses import replace

import numpy as np

from domain.areas import AreaGrid
from domain.entities.predictions import PredictionColumns
from domain.entities.trips import SECOND, Times, TripColumns
from domain.sums import Tally
from domain.tallies import ScoredTrips, scored_trips, tally_of

GRID = AreaGrid()


def scored(trips: TripColumns, version: int = 1, shadow: int | None = None) -> ScoredTrips:
    """Predicted to last ten minutes by the champion, and eleven by the shadow."""
    beside = (shadow, lasting(trips, 660)) if shadow else None
    return scored_trips(trips, lasting(trips, 600), version, GRID, beside)


def lasting(trips: TripColumns, seconds: float) -> PredictionColumns:
    """The same prediction for all."""
    column = np.full(len(trips), seconds, dtype=np.float32)
    return PredictionColumns(trips.trip_id, column, column * np.float32(0.7), column * np.float32(1.3))


def ends(trips: TripColumns, minutes: float = 12) -> Times:
    """When the trips end."""
    return np.asarray(trips.pickup_at + np.timedelta64(int(minutes * 60_000_000), "us"))


def whole(trips: TripColumns, version: int = 1, shadow: int | None = None, minutes: float = 12) -> Tally:
    """The tally of trips that have begun and ended."""
    columns = scored(trips, version, shadow)
    return tally_of(columns, columns, ends(trips, minutes))


def begun(trips: TripColumns, version: int = 1) -> Tally:
    """The tally of trips that have begun."""
    columns = scored(trips, version)
    return tally_of(columns, columns.take(np.zeros(len(trips), dtype=np.bool_)), np.empty(0, dtype=trips.pickup_at.dtype))


def at(trips: TripColumns, first: str, every_seconds: int) -> TripColumns:
    """The same trips, one every few seconds."""
    pickup_at = np.datetime64(first, "us") + np.arange(len(trips)) * every_seconds * SECOND
    return replace(trips, pickup_at=pickup_at)
