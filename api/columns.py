"""Requests to the columns that the domain works on, exactly as the worker makes them of events."""

from collections.abc import Sequence
from operator import attrgetter

import numpy as np

from domain.entities.trips import TripColumns, times_of
from schemas.http.predictions import PredictionRequest

_FIELDS = attrgetter(
    "vendor_id",
    "passenger_count",
    "pickup_at",
    "pickup.latitude",
    "pickup.longitude",
    "dropoff.latitude",
    "dropoff.longitude",
)


def columns_of(requests: Sequence[PredictionRequest], ids: Sequence[str]) -> TripColumns:
    """One row a request, at least one; `ids` stand for the trips' ids."""
    vendors, passengers, pickups, *places = zip(*map(_FIELDS, requests), strict=True)
    return TripColumns(
        np.array(ids, dtype=object),
        np.array(vendors, dtype=np.int16),
        np.array(passengers, dtype=np.int16),
        times_of(pickups),
        *(np.array(place, dtype=np.float64) for place in places),
    )
