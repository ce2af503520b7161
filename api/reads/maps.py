"""The map's values and their scales. Pure."""

import math
from collections.abc import Sequence

from domain.entities.watched import AreaSum, AreaSums
from schemas.http.base import Metric
from schemas.http.snapshot import AreaMap, AreaValue

Limits = dict[Metric, tuple[float, float]]
LEAST_TRIPS = 5  # of a cell whose colour says something
SHRINK = 4.0  # a scale stays until its values are so much smaller
DIGITS = 4


def area_map(sums: AreaSums, minutes: float, before: Limits | None = None) -> AreaMap:
    """Of sums over `minutes` of event time; `before`: the scales of the map that is on the board, which stay if they can."""
    pickups = [_value(each, minutes) for each in sums.pickups]
    dropoffs = [_value(each, minutes) for each in sums.dropoffs]
    shown = [value for value in (*pickups, *dropoffs) if value.trips >= LEAST_TRIPS]
    limits: dict[Metric, list[float]] = {
        "trips": [value.trips_per_minute for value in shown],
        "predicted": [value.mean_predicted_minutes for value in shown if value.mean_predicted_minutes],
        "error": [value.mae_minutes for value in shown if value.mae_minutes and value.settled >= LEAST_TRIPS],
    }
    scales: Limits = {name: (0.0, _scale(values, (before or {}).get(name))) for name, values in limits.items()}
    return AreaMap(pickups=pickups, dropoffs=dropoffs, limits=scales)


def _value(sums: AreaSum, minutes: float) -> AreaValue:
    return AreaValue(
        area=sums.area,
        trips=sums.trips,
        trips_per_minute=round(sums.trips / minutes, DIGITS) if minutes > 0 else 0.0,
        mean_predicted_minutes=round(sums.predicted_minutes / sums.trips, DIGITS) if sums.trips else None,
        mae_minutes=round(sums.abs_error_minutes / sums.settled, DIGITS) if sums.settled else None,
        settled=sums.settled,
    )


def _scale(values: Sequence[float], before: tuple[float, float] | None) -> float:
    """The end of a scale: a round number, and the same as before while that still shows what there is to see."""
    most = max(values, default=0.0)
    if before is not None and before[1] / SHRINK <= most <= before[1]:
        return before[1]
    return round_up(most)


def round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, 20, ... times a power of ten; 1 for nothing."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return float(next(step * power for step in (1, 2, 5, 10) if step * power >= value * (1 - 1e-12)))
