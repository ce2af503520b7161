"""Predictions that were asked for one by one rather than read from the stream, with the inputs as received."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.entities.predictions import Seconds
from domain.entities.trips import Columns, Floats, Shorts, Strings, Times

UUID = np.dtype("V16")  # raw bytes; numpy's bytes type would drop zeros at the end


@dataclass(frozen=True, slots=True, eq=False)
class ServedPredictions(Columns):
    """What was asked and what was answered. All arrays have shape (n,).

    prediction_id: 16 bytes. key_id: str objects, None where nobody showed a key. served_at: datetime64[us] in UTC, wall time.
    model_version: int32. feature_schema: str objects. The others as in TripColumns and PredictionColumns.
    """

    prediction_id: NDArray[np.void]
    key_id: Strings
    vendor_id: Shorts
    passenger_count: Shorts
    pickup_at: Times
    pickup_latitude: Floats
    pickup_longitude: Floats
    dropoff_latitude: Floats
    dropoff_longitude: Floats
    duration_seconds: Seconds
    lower_seconds: Seconds
    upper_seconds: Seconds
    model_version: NDArray[np.int32]
    feature_schema: Strings
    served_at: Times
