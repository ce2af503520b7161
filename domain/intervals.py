"""Conformal prediction intervals: calibrated on signed log residuals of held-out trips, by band of predicted duration.

A residual is ln(actual / predicted). Within a band of predicted duration, its finite-sample 5% and 95% quantiles give factors
on the prediction that cover nominally 90% of new trips (split conformal prediction, Vovk et al. 2005, Romano et al. 2019).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOMINAL_COVERAGE = 0.9
MINIMUM_BAND_ROWS = 200


@dataclass(frozen=True, slots=True)
class IntervalBands:
    """`edges_seconds` has k - 1 ascending edges between k bands; the factors have k values each."""

    edges_seconds: tuple[float, ...]
    lower_factors: tuple[float, ...]
    upper_factors: tuple[float, ...]

    def of(self, duration_seconds: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Lower and upper bounds in float32 seconds, each of shape (n,), for predictions of shape (n,)."""
        band = np.searchsorted(np.asarray(self.edges_seconds, dtype=np.float32), duration_seconds, side="right")
        lower = np.asarray(self.lower_factors, dtype=np.float32)[band]
        upper = np.asarray(self.upper_factors, dtype=np.float32)[band]
        return duration_seconds * lower, duration_seconds * upper


def calibrate(predicted_seconds: NDArray[np.float32], actual_seconds: NDArray[np.float64], bands: int = 8) -> IntervalBands:
    """Calibrate on held-out trips of shape (n,), all durations positive; fewer bands when rows are few.

    Raises ValueError when there is no row or a duration is not positive.
    """
    if len(predicted_seconds) == 0 or predicted_seconds.min() <= 0 or actual_seconds.min() <= 0:
        raise ValueError("calibration needs at least one row and positive durations")
    bands = max(1, min(bands, len(predicted_seconds) // MINIMUM_BAND_ROWS))
    edges = np.quantile(predicted_seconds, np.linspace(0, 1, bands + 1)[1:-1]).astype(np.float32)
    band = np.searchsorted(edges, predicted_seconds, side="right")
    residual = np.log(actual_seconds / predicted_seconds)
    tail = (1 - NOMINAL_COVERAGE) / 2
    lower, upper = [], []
    for number in range(len(edges) + 1):
        inside = np.sort(residual[band == number])
        if len(inside) == 0:  # ties can empty a band: the whole sample stands in
            inside = np.sort(residual)
        lower.append(float(np.exp(inside[max(int(np.floor(tail * (len(inside) + 1))) - 1, 0)])))
        upper.append(float(np.exp(inside[min(int(np.ceil((1 - tail) * (len(inside) + 1))) - 1, len(inside) - 1)])))
    return IntervalBands(tuple(float(edge) for edge in edges), tuple(lower), tuple(upper))
