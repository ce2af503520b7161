"""What a trained model is delivered as: a graph, and all that a server needs to know before it lets the graph score."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from domain.features import Matrix
from domain.intervals import IntervalBands


@dataclass(frozen=True, slots=True, eq=False)
class ModelPackage:
    """A model ready to be registered.

    `graph`: an ONNX model, input float32 (n, f), output float32 (n,) in seconds. `warm_up_inputs` of shape (w, f) and
    `warm_up_outputs` of shape (w,) are what it answered when it was registered.
    """

    kind: str
    feature_schema: str
    features: tuple[str, ...]
    intervals: IntervalBands
    graph: bytes
    warm_up_inputs: Matrix
    warm_up_outputs: NDArray[np.float32]
