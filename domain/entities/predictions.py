"""What a model said about started trips."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from domain.entities.trips import Columns, Strings

Seconds = NDArray[np.float32]


class Role(StrEnum):
    """Whose answer a prediction is: the one that was given out, or one that only shadows it."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"


@dataclass(frozen=True, slots=True, eq=False)
class PredictionColumns(Columns):
    """Predicted durations with their nominal 90% interval. Shape (n,), float32 seconds, trip_id as str objects."""

    trip_id: Strings
    duration_seconds: Seconds
    lower_seconds: Seconds
    upper_seconds: Seconds
