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
