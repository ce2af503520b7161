"""The champion's ONNX graph as MLflow serves it from raw fields: its pyfunc flavour, logged as "model from code".

MLflow copies this file into the model and runs it when it loads the model. It makes the same features by the same vectorised
code and has a session of one thread, as we do, so that both sides answer with the same bits; it makes no interval and logs
nothing.
"""

from datetime import UTC, datetime
from typing import Any

import mlflow
import numpy as np
import onnxruntime

from domain.entities.trips import TIME, TripColumns
from domain.features import CityClock, features_of

PLACES = ("pickup_latitude", "pickup_longitude", "dropoff_latitude", "dropoff_longitude")


class TripDuration(mlflow.pyfunc.PythonModel):  # type: ignore[misc]  # MLflow is untyped
    """Seconds for each row of a data frame with the fields of `trip.started`."""

    def load_context(self, context: Any) -> None:
        """Open the graph."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(context.artifacts["graph"], options, providers=["CPUExecutionProvider"])
        self.name, self.clock = self.session.get_inputs()[0].name, CityClock()

    def predict(self, context, model_input, params=None):  # noqa: ARG002 - a type hint would switch on another validation
        """Shape (n,), float32 seconds."""
        return self.session.run(None, {self.name: features_of(_columns(model_input), self.clock)})[0]


def _columns(frame: Any) -> TripColumns:
    instants = [datetime.fromisoformat(at).astimezone(UTC).replace(tzinfo=None) for at in frame["pickup_at"]]
    return TripColumns(
        np.empty(len(frame), dtype=object),
        frame["vendor_id"].to_numpy(np.int16),
        frame["passenger_count"].to_numpy(np.int16),
        np.array(instants, dtype=TIME),
        *(frame[place].to_numpy(np.float64) for place in PLACES),
    )


mlflow.models.set_model(TripDuration())
