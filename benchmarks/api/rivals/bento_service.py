"""The champion's ONNX graph behind BentoML, as its documents write a service: typed fields in, requests batched adaptively.

Features by our own code and a session of one thread, as in the other servers, so that all answer with the same bits.
"""

import os
from datetime import UTC, datetime

import bentoml
import numpy as np
import onnxruntime
from pydantic import BaseModel, Field

from benchmarks.api.rivals import GRAPH
from domain.entities.trips import TIME, TripColumns
from domain.features import CityClock, features_of


class Trip(BaseModel):
    """The fields of a question."""

    vendor_id: int
    passenger_count: int
    pickup_at: datetime
    pickup_latitude: float = Field(ge=-90, le=90)
    pickup_longitude: float = Field(ge=-180, le=180)
    dropoff_latitude: float = Field(ge=-90, le=90)
    dropoff_longitude: float = Field(ge=-180, le=180)


@bentoml.service(workers=1, metrics={"enabled": True}, logging={"access": {"enabled": False}})
class TripDuration:
    """One process."""

    def __init__(self) -> None:
        """Open the graph."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ[GRAPH], options, providers=["CPUExecutionProvider"])
        self.name, self.clock = self.session.get_inputs()[0].name, CityClock()

    @bentoml.api(batchable=True)  # type: ignore[untyped-decorator]  # BentoML is untyped
    def predict(self, trips: list[Trip]) -> list[float]:
        """Seconds for each trip."""
        seconds = self.session.run(None, {self.name: features_of(_columns(trips), self.clock)})[0]
        return [float(each) for each in seconds]


def _columns(trips: list[Trip]) -> TripColumns:
    instants = [trip.pickup_at.astimezone(UTC).replace(tzinfo=None) for trip in trips]
    return TripColumns(
        np.empty(len(trips), dtype=object),
        np.array([trip.vendor_id for trip in trips], np.int16),
        np.array([trip.passenger_count for trip in trips], np.int16),
        np.array(instants, dtype=TIME),
        np.array([trip.pickup_latitude for trip in trips]),
        np.array([trip.pickup_longitude for trip in trips]),
        np.array([trip.dropoff_latitude for trip in trips]),
        np.array([trip.dropoff_longitude for trip in trips]),
    )
