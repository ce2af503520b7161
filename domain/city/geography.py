"""Where the simulated city's trips begin and end, and how far the streets make it.

The city lies in New York's box: a dense core on an island whose street grid is turned by 29 degrees, boroughs across a river,
two airports. An area is a two-dimensional normal distribution of places; every number here is invented to be believable.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from domain.entities.trips import Floats

KM_PER_DEGREE = 111.195  # of latitude, on a sphere of 6371.0088 km
GRID_RADIANS = np.radians(29.0)  # of the avenues, east of north
RIVER_CROSSING_KM = 1.6  # what bridges and tunnels add to a trip between the island and the rest
SOUTH, NORTH, WEST, EAST = 40.52, 40.98, -74.25, -73.72


class Area(NamedTuple):
    """A centre with its spread along and across the avenues, and what people do there: shares of 1 at most."""

    name: str
    latitude: float
    longitude: float
    along_km: float
    across_km: float
    size: float  # its share of all trips, before the hour of the week has its say
    homes: float
    work: float
    leisure: float
    density: float  # how much of the city's congestion it feels
    island: bool


AREAS = (
    Area("midtown", 40.755, -73.984, 1.5, 0.8, 0.30, 0.3, 1.0, 0.8, 1.00, island=True),
    Area("downtown", 40.720, -74.002, 1.3, 0.9, 0.19, 0.5, 0.9, 1.0, 0.92, island=True),
    Area("uptown", 40.780, -73.963, 1.6, 1.0, 0.22, 1.0, 0.4, 0.5, 0.80, island=True),
    Area("harlem", 40.812, -73.947, 1.4, 0.9, 0.06, 1.0, 0.3, 0.5, 0.60, island=True),
    Area("brooklyn", 40.690, -73.962, 2.6, 2.2, 0.09, 1.0, 0.3, 0.8, 0.55, island=False),
    Area("queens", 40.748, -73.922, 2.2, 2.4, 0.05, 1.0, 0.4, 0.4, 0.50, island=False),
    Area("bronx", 40.842, -73.895, 2.2, 1.8, 0.02, 1.0, 0.3, 0.3, 0.45, island=False),
    Area("laguardia", 40.773, -73.872, 0.4, 0.4, 0.04, 0.5, 0.6, 0.4, 0.45, island=False),
    Area("jfk", 40.645, -73.785, 0.6, 0.6, 0.03, 0.6, 0.5, 0.4, 0.30, island=False),
)
WHOLE = "whole"
ISLAND = "manhattan"
AREA_NAMES = (WHOLE, ISLAND, *(area.name for area in AREAS))
DENSITY = np.array([area.density for area in AREAS])
_ON_ISLAND = np.array([area.island for area in AREAS])
_LATITUDE = np.array([area.latitude for area in AREAS])
_LONGITUDE = np.array([area.longitude for area in AREAS])
_KM_PER_DEGREE_EAST = KM_PER_DEGREE * np.cos(np.radians(40.75))


@dataclass(frozen=True, slots=True, eq=False)
class Places:
    """Points in degrees, shape (n,)."""

    latitude: Floats
    longitude: Floats


def areas_named(name: str) -> NDArray[np.bool_]:
    """Mask over AREAS of those that a name of AREA_NAMES stands for. Raises ValueError for another name."""
    if name not in AREA_NAMES:
        raise ValueError(f"no area is called {name}; there are {', '.join(AREA_NAMES)}")
    if name == ISLAND:
        return _ON_ISLAND
    return np.array([name in (WHOLE, area.name) for area in AREAS])


def places_in(area: NDArray[np.intp], normal: Floats) -> Places:
    """A place in each area, from standard normal numbers of shape (n, 2); to the metre, as meters give them."""
    spread = np.array([(one.along_km, one.across_km) for one in AREAS])[area]
    along, across = normal[:, 0] * spread[:, 0], normal[:, 1] * spread[:, 1]
    north = along * np.cos(GRID_RADIANS) - across * np.sin(GRID_RADIANS)
    east = along * np.sin(GRID_RADIANS) + across * np.cos(GRID_RADIANS)
    latitude = np.clip(_LATITUDE[area] + north / KM_PER_DEGREE, SOUTH, NORTH)
    longitude = np.clip(_LONGITUDE[area] + east / _KM_PER_DEGREE_EAST, WEST, EAST)
    return Places(np.round(latitude, 6), np.round(longitude, 6))


def street_km(origin: Places, target: Places, from_area: NDArray[np.intp], to_area: NDArray[np.intp]) -> Floats:
    """Shape (n,): the way along the grid's two directions, and the river's detour. Longer ways cut corners on highways."""
    north = (target.latitude - origin.latitude) * KM_PER_DEGREE
    east = (target.longitude - origin.longitude) * _KM_PER_DEGREE_EAST
    along = north * np.cos(GRID_RADIANS) + east * np.sin(GRID_RADIANS)
    across = east * np.cos(GRID_RADIANS) - north * np.sin(GRID_RADIANS)
    grid, straight = np.abs(along) + np.abs(across), np.hypot(north, east)
    highways = np.minimum(straight / 15.0, 1.0)  # from 15 km on, the way is 1.2 times the straight line
    crossing = np.where(_ON_ISLAND[from_area] != _ON_ISLAND[to_area], RIVER_CROSSING_KM, 0.0)
    return np.asarray((1 - highways) * grid + highways * 1.2 * straight + crossing)


def area_distance_km() -> Floats:
    """Shape (areas, areas): straight distances between centres."""
    north = (_LATITUDE[:, None] - _LATITUDE[None, :]) * KM_PER_DEGREE
    east = (_LONGITUDE[:, None] - _LONGITUDE[None, :]) * _KM_PER_DEGREE_EAST
    return np.asarray(np.hypot(north, east))
