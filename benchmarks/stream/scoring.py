"""How the bare loop and the rivals score: the champion's ONNX file in a session of one thread, as ours, on our features."""

from collections.abc import Callable, Sequence

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from domain.entities.trips import TIME, TripColumns
from domain.features import CityClock, features_of
from schemas.events import TripStarted

Score = Callable[[Sequence[TripStarted]], NDArray[np.float32]]


def scorer(path: str) -> Score:
    """Seconds for each trip, in one call of the model."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    clock, name = CityClock(), session.get_inputs()[0].name

    def score(started: Sequence[TripStarted]) -> NDArray[np.float32]:
        seconds: NDArray[np.float32] = session.run(None, {name: features_of(columns(started), clock)})[0]
        return seconds.ravel()

    return score


def columns(started: Sequence[TripStarted]) -> TripColumns:
    """The trips as columns."""
    return TripColumns(
        np.array([trip.trip_id for trip in started], dtype=object),
        np.array([trip.vendor_id for trip in started], dtype=np.int16),
        np.array([trip.passenger_count for trip in started], dtype=np.int16),
        np.array([int(trip.pickup_at.timestamp() * 1e6) for trip in started]).astype(TIME),
        np.array([trip.pickup.latitude for trip in started]),
        np.array([trip.pickup.longitude for trip in started]),
        np.array([trip.dropoff.latitude for trip in started]),
        np.array([trip.dropoff.longitude for trip in started]),
    )
