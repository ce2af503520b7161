"""What goes wrong with the meters of the simulated city, at about the shares of the real trips of 2016."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from domain.entities.trips import Floats, Shorts

SHORT = 0.006  # under a minute
ENDLESS = 0.0013  # 22 to 24 hours: an artefact of one vendor's meter
ENDLESS_VENDOR = 2
ZERO_COORDINATES = 0.0005
ELSEWHERE = 0.0003  # in Las Vegas, say
NO_PASSENGERS = 0.0003
SAME_PLACE = 0.004
_LAS_VEGAS = (36.17, -115.14)


@dataclass(slots=True, eq=False)
class Meter:
    """What the meter recorded, shape (n,) each; `soil` changes it in place."""

    vendor_id: Shorts
    passenger_count: Shorts
    pickup_latitude: Floats
    pickup_longitude: Floats
    dropoff_latitude: Floats
    dropoff_longitude: Floats
    duration_seconds: Floats


def soil(meter: Meter, chance: Floats) -> None:
    """Spoil a few trips, each in one way; `chance` of shape (n, 2), uniform: which trip how, and how badly."""
    which, much = chance[:, 0], chance[:, 1]
    short, endless, zero, elsewhere, empty, same = _kinds(which)
    meter.duration_seconds[short] = 2.0 + 57.0 * much[short]
    meter.duration_seconds[endless] = (22.0 + 1.99 * much[endless]) * 3600.0
    meter.vendor_id[endless] = ENDLESS_VENDOR
    meter.pickup_latitude[zero] = meter.pickup_longitude[zero] = 0.0
    meter.dropoff_latitude[elsewhere], meter.dropoff_longitude[elsewhere] = _LAS_VEGAS
    meter.passenger_count[empty] = 0
    meter.dropoff_latitude[same] = meter.pickup_latitude[same]
    meter.dropoff_longitude[same] = meter.pickup_longitude[same]


def _kinds(which: Floats) -> list[NDArray[np.bool_]]:
    """Disjoint masks, one a kind of dirt."""
    edges = np.cumsum([0.0, SHORT, ENDLESS, ZERO_COORDINATES, ELSEWHERE, NO_PASSENGERS, SAME_PLACE])
    return [(which >= low) & (which < high) for low, high in pairwise(edges.tolist())]
