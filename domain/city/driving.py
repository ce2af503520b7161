"""How long trips of the simulated city take, before anything goes wrong with the meter."""

import numpy as np
from numpy.typing import NDArray

from domain.city.geography import DENSITY
from domain.city.rhythm import traffic
from domain.entities.trips import Floats

NOISE = 0.27  # standard deviation of the log duration that no model can explain: lights, drivers, the one blocked street
DETOUR_NOISE = 0.08
DAY_NOISE = 0.05  # weather and events, one draw a day for the whole city
STOP_SECONDS = 75.0  # getting in, the first and the last light, paying
_STREET_KMH, _HIGHWAY_KMH, _HIGHWAY_KM = 24.0, 56.0, 9.0
_WORST_LOSS = 0.62  # of the free speed, at full traffic in the densest area


def driving_seconds(
    way_km: Floats, areas: tuple[NDArray[np.intp], NDArray[np.intp]], hour: NDArray[np.intp], normal: Floats, day: Floats
) -> Floats:
    """Shape (n,): STOP_SECONDS + way / speed, with log-normal noise from `normal` of shape (n, 2) and the day's draw.

    speed = free x (1 - loss): free grows from street to highway speed with the way; the loss is the traffic of the hour of
    the week times the mean density of both ends' `areas`.
    """
    free = _STREET_KMH + (_HIGHWAY_KMH - _STREET_KMH) * (1 - np.exp(-way_km / _HIGHWAY_KM))
    loss = _WORST_LOSS * traffic()[hour] * (DENSITY[areas[0]] + DENSITY[areas[1]]) / 2
    way = way_km * np.exp(DETOUR_NOISE * normal[:, 0])
    noise = np.exp(NOISE * normal[:, 1] - NOISE**2 / 2 + DAY_NOISE * day)
    return np.asarray((STOP_SECONDS + 3600.0 * way / (free * (1 - loss))) * noise)
