"""How the simulated city's week goes: how many trips, from where to where, and how dense the traffic, hour by hour.

Hours of the week count from Monday 0:00 local time, 0 to 167.
"""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from domain.city.geography import AREAS, area_distance_km
from domain.entities.trips import Floats, Times

HOURS = 168
_GRAVITY_KM = 5.0  # how quickly the wish to go somewhere fades with distance
_WEEKDAY = np.array([30, 18, 11, 8, 10, 20, 45, 72, 88, 84, 78, 78, 80, 80, 84, 82, 74, 86, 104, 108, 100, 96, 86, 58], float)
_WEEKEND = np.array([82, 74, 60, 44, 26, 14, 16, 24, 38, 54, 68, 76, 80, 80, 78, 78, 80, 84, 90, 92, 86, 82, 82, 74], float)
_TRAFFIC_WEEKDAY = np.array(
    [12, 6, 3, 3, 6, 18, 40, 68, 86, 88, 84, 84, 86, 86, 90, 94, 98, 100, 92, 74, 58, 46, 36, 24], float
)
_TRAFFIC_WEEKEND = np.array(
    [28, 22, 16, 10, 6, 4, 8, 14, 24, 38, 52, 60, 64, 66, 68, 68, 68, 66, 64, 60, 52, 46, 42, 34], float
)


def hour_of_week(local: Times) -> NDArray[np.intp]:
    """Shape (n,) of local times; 1970-01-01 was a Thursday, 72 hours after a Monday 0:00."""
    hours = local.astype("datetime64[h]").astype(np.int64)
    return np.asarray((hours + 72) % HOURS, dtype=np.intp)


@cache
def demand() -> Floats:
    """Shape (168,): trips of each hour, relative to the mean hour."""
    week = np.concatenate([_WEEKDAY] * 5 + [_WEEKEND] * 2)
    week[4 * 24 + 19 : 5 * 24] *= 1.15  # Friday evening
    week[0 : 5 * 24 : 24] *= 0.9
    return np.asarray(week / week.mean())


@cache
def traffic() -> Floats:
    """Shape (168,): how dense the traffic is, from 0 to 1."""
    return np.concatenate([_TRAFFIC_WEEKDAY] * 5 + [_TRAFFIC_WEEKEND] * 2) / 100.0


@cache
def origins() -> Floats:
    """Shape (168, areas): the cumulated chance that a trip of that hour begins in each area."""
    leaving_home, leaving_work, leaving_leisure = _wishes()
    return _cumulated(_weights(leaving_home, leaving_work, leaving_leisure))


@cache
def destinations() -> Floats:
    """Shape (168, areas, areas): the cumulated chance of each destination, by hour and area of origin."""
    leaving_home, leaving_work, leaving_leisure = _wishes()
    attraction = _weights(leaving_work + leaving_leisure, leaving_home, 0.3 * leaving_home + 0.7 * np.roll(leaving_leisure, -3))
    nearness = np.exp(-area_distance_km() / _GRAVITY_KM)
    return _cumulated(attraction[:, None, :] * nearness[None, :, :])


def _wishes() -> tuple[Floats, Floats, Floats]:
    """Each of shape (168,): how much people leave home, work and leisure in that hour; never nought."""
    hour, weekend = np.arange(HOURS) % 24, np.arange(HOURS) >= 5 * 24
    leaving_home = 0.25 + _bell(hour, 8.0, 2.0) * np.where(weekend, 0.3, 1.0) + 0.6 * _bell(hour, 19.0, 2.0)
    leaving_work = 0.15 + _bell(hour, 17.5, 2.5) * np.where(weekend, 0.2, 1.0)
    leaving_leisure = 0.15 + _bell(hour, 23.5, 3.0) * np.where(weekend, 1.4, 0.7)
    return leaving_home, leaving_work, leaving_leisure


def _bell(hour: NDArray[np.int64], centre: float, width: float) -> Floats:
    away = np.abs(hour - centre)
    return np.asarray(np.exp(-0.5 * (np.minimum(away, 24 - away) / width) ** 2))


def _weights(homes: Floats, work: Floats, leisure: Floats) -> Floats:
    sizes = np.array([area.size for area in AREAS])
    uses = np.array([(area.homes, area.work, area.leisure) for area in AREAS])
    return np.asarray(np.stack([homes, work, leisure], axis=1) @ uses.T * sizes)


def _cumulated(weights: Floats) -> Floats:
    return np.asarray(np.cumsum(weights, axis=-1) / weights.sum(axis=-1, keepdims=True))
