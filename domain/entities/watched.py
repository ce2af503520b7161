"""What the board shows of errors and of the map, before it is drawn. Times are event time."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ErrorStep:
    """Champion's and challenger's sums over the trips with a pickup in one step; errors in minutes.

    `trips` started, `settled` of them have ended; `challenger_settled` counts those that a challenger predicted too.
    """

    at: datetime
    mature: bool
    trips: int
    settled: int
    abs_error: float
    square_error: float
    covered: int
    challenger_settled: int
    challenger_abs_error: float


@dataclass(frozen=True, slots=True)
class ErrorSteps:
    """Steps of `step_minutes`, oldest first; the one that maturity divides is there twice. `mature_until` None: nothing is."""

    step_minutes: int
    mature_until: datetime | None
    steps: tuple[ErrorStep, ...]


@dataclass(frozen=True, slots=True)
class Reference:
    """What a version's training said of its errors, on trips held out by time."""

    mae_minutes: float
    rmse_minutes: float


@dataclass(frozen=True, slots=True)
class AreaSum:
    """Trips of one cell, by where they begin or by where they lead; errors are of pickups alone, and of mature trips."""

    area: int
    trips: int
    predicted_minutes: float
    settled: int = 0
    abs_error_minutes: float = 0.0


@dataclass(frozen=True, slots=True)
class AreaSums:
    """The map's numbers: sums over some time, event time."""

    pickups: tuple[AreaSum, ...]
    dropoffs: tuple[AreaSum, ...]


@dataclass(frozen=True, slots=True)
class SignalStep:
    """What the loop's watcher saw of one signal in the step that ended at `event_at`."""

    event_at: datetime
    signal: str
    value: float | None
    statistic: float | None
    threshold: float | None
    state: str
    cooling_until: datetime | None
    model_version: int | None
