"""Stored trips, or a random sample of them, to be described."""

from dataclasses import dataclass

from domain.entities.trips import Floats, TripColumns


@dataclass(frozen=True, slots=True, eq=False)
class TripSample:
    """`trips` are `share` of all `total` stored trips; `duration_seconds` of shape (n,) is NaN where a trip has not ended.

    `exact`: `total` was counted, and is not the planner's estimate.
    """

    trips: TripColumns
    duration_seconds: Floats
    total: int
    share: float
    exact: bool
