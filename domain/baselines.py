"""What is normal for a model version: how it erred on held-out trips, and what trips looked like when it was made."""

from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from domain.areas import AreaGrid
from domain.entities.trips import Floats, Shorts, Times, TripColumns
from domain.features import CityClock, distance_km_of
from domain.tallies import SHORTEST_KM

BAND_STARTS = (0, 6, 10, 16, 20)  # local hours at which the hour bands begin: night, morning, midday, evening, late
BAND_NAMES = ("0-6 h", "6-10 h", "10-16 h", "16-20 h", "20-24 h")
QUANTILES = 39  # of residuals; the completion ratio interpolates between them
PRIOR_TRIPS = 200.0  # a band's or an area's mean is drawn towards the city's, as if so many trips more had the city's mean


@dataclass(frozen=True, slots=True)
class Baseline:
    """Residuals are ln(actual / predicted) of held-out trips.

    `band_log_ratio`: the mean by hour band of the pickup; `area_log_ratio`: what an area's mean differs from that. `spread`:
    standard deviation. `quantiles`: QUANTILES + 1 equally likely values from the least to the greatest. Inputs: mean and
    standard deviation of ln(km), share without passengers, share of each area and of each hour of the day.
    """

    trips: int
    mae_minutes: float
    rmse_minutes: float
    band_log_ratio: tuple[float, ...]
    area_log_ratio: dict[int, float]
    spread: float
    quantiles: tuple[float, ...]
    log_km: float
    log_km_spread: float
    no_passengers_share: float
    area_share: dict[int, float]
    hour_share: tuple[float, ...]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> Self:
        """What `as_dict` gave, also after JSON has turned numbers into text and tuples into lists."""
        values = dict(content)
        for name in ("area_log_ratio", "area_share"):
            values[name] = {int(area): float(value) for area, value in content[name].items()}
        for name in ("band_log_ratio", "quantiles", "hour_share"):
            values[name] = tuple(content[name])
        return cls(**values)


def baseline_of(
    trips: TripColumns,
    held_out: NDArray[np.intp],
    *,
    predicted_seconds: NDArray[np.float32],
    actual_seconds: Floats,
    grid: AreaGrid,
    clock: CityClock,
) -> Baseline:
    """`trips` are all that the model learnt from; predictions and durations are those of the rows `held_out`, shape (h,)."""
    judged = trips.take(held_out)
    residual = np.log(actual_seconds / predicted_seconds)
    band = band_of(clock.local(judged.pickup_at))
    bands = _drawn(residual, band, np.arange(len(BAND_STARTS)), float(residual.mean()))
    area = grid.of(judged.pickup_latitude, judged.pickup_longitude)
    present = np.unique(area)
    areas = _drawn(residual - bands[band], area, present, 0.0)
    error = predicted_seconds - actual_seconds
    return Baseline(
        trips=len(judged),
        mae_minutes=float(np.abs(error).mean()) / 60,
        rmse_minutes=float(np.sqrt((error**2).mean())) / 60,
        band_log_ratio=tuple(bands.tolist()),
        area_log_ratio=dict(zip(present.tolist(), areas.tolist(), strict=True)),
        spread=float(residual.std()),
        quantiles=tuple(np.quantile(residual, np.linspace(0, 1, QUANTILES + 1)).tolist()),
        **_inputs(trips, grid, clock),
    )


def band_of(local: Times) -> NDArray[np.intp]:
    """The hour band of local times, shape (n,)."""
    return np.asarray(np.searchsorted(np.array(BAND_STARTS), hour_of(local), side="right") - 1, dtype=np.intp)


def hour_of(local: Times) -> NDArray[np.int64]:
    """Hour of the day of local times, shape (n,)."""
    return np.asarray((local - local.astype("datetime64[D]")).astype("timedelta64[h]"), dtype=np.int64)


def _drawn(residual: Floats, group: NDArray[np.intp] | Shorts, groups: NDArray[Any], towards: float) -> Floats:
    """Mean residual of each group, drawn towards a value by PRIOR_TRIPS."""
    place = np.searchsorted(groups, group)
    count = np.bincount(place, minlength=len(groups))
    total = np.bincount(place, weights=residual, minlength=len(groups))
    return np.asarray((total + PRIOR_TRIPS * towards) / (count + PRIOR_TRIPS))


def _inputs(trips: TripColumns, grid: AreaGrid, clock: CityClock) -> dict[str, Any]:
    log_km = np.log(np.maximum(distance_km_of(trips), SHORTEST_KM))
    areas, counts = np.unique(grid.of(trips.pickup_latitude, trips.pickup_longitude), return_counts=True)
    hours = np.bincount(hour_of(clock.local(trips.pickup_at)), minlength=24)
    return {
        "log_km": float(log_km.mean()),
        "log_km_spread": float(log_km.std()),
        "no_passengers_share": float((trips.passenger_count == 0).mean()),
        "area_share": dict(zip(areas.tolist(), (counts / len(trips)).tolist(), strict=True)),
        "hour_share": tuple((hours / len(trips)).tolist()),
    }
