"""Register the champion's graph in MLflow's pyfunc flavour; a process of its own, since it imports MLflow.

Once with a signature and once without. MLflow asks for one and warns of a model that has none: with it the server checks names
and types of the fields, as our API does. Without it the server is faster and hands on whatever came.
"""

import argparse
from pathlib import Path
from typing import Any

import mlflow
import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec

from benchmarks.api.servers import CHECKED, UNCHECKED

TYPES = {
    "vendor_id": "long",
    "passenger_count": "long",
    "pickup_at": "string",
    "pickup_latitude": "double",
    "pickup_longitude": "double",
    "dropoff_latitude": "double",
    "dropoff_longitude": "double",
}


def main() -> None:
    """Log and register both; MLFLOW_TRACKING_URI says where."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--graph", required=True)
    graph = parser.parse_args().graph
    inputs = Schema([ColSpec(kind, name) for name, kind in TYPES.items()])
    outputs = Schema([TensorSpec(np.dtype(np.float32), (-1,))])
    _log(CHECKED, graph, ModelSignature(inputs=inputs, outputs=outputs))
    _log(UNCHECKED, graph, None)


def _log(name: str, graph: str, signature: Any) -> None:
    mlflow.pyfunc.log_model(
        name="model",
        python_model=str(Path(__file__).parent / "pyfunc_model.py"),
        artifacts={"graph": graph},
        signature=signature,
        pip_requirements=["mlflow", "numpy", "onnxruntime"],
        registered_model_name=name,
    )


if __name__ == "__main__":
    main()
