"""Canary trips: sent to see that trips get through, and no part of what the city does.

A canary is known by its id's prefix. So that nobody can hide trips behind it, an id with the prefix is refused (`TripRules`)
unless the trip is the canary's own: one route, one vendor, one passenger, and it never ends.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.entities.trips import Strings, TripColumns

PREFIX = "canary-"
VENDOR_ID = 1
PASSENGERS = 1
BEGIN, END = 0.5, 0.54  # of the way from south to north and from west to east


class Route(NamedTuple):
    """From the middle of the service area a few kilometres to the north-east; degrees WGS84."""

    pickup_latitude: float
    pickup_longitude: float
    dropoff_latitude: float
    dropoff_longitude: float


def route_within(south: float, north: float, west: float, east: float) -> Route:
    """The canary's route; the same bits wherever the borders are the same."""
    return Route(
        south + BEGIN * (north - south), west + BEGIN * (east - west), south + END * (north - south), west + END * (east - west)
    )


def named_so(trip_ids: Strings) -> NDArray[np.bool_] | None:
    """Mask of shape (n,) of ids with the prefix; None, found at once, when there is none."""
    joined = "\n".join(trip_ids.tolist())
    if f"\n{PREFIX}" not in joined and not joined.startswith(PREFIX):
        return None
    return np.fromiter((trip_id.startswith(PREFIX) for trip_id in trip_ids), np.bool_, len(trip_ids))


def goes(trips: TripColumns, route: Route) -> NDArray[np.bool_]:
    """Mask of shape (n,): trips that are as a canary's are."""
    same = (trips.vendor_id == VENDOR_ID) & (trips.passenger_count == PASSENGERS)
    for name, degrees in zip(Route._fields, route, strict=True):
        same &= getattr(trips, name) == degrees
    return np.asarray(same)
