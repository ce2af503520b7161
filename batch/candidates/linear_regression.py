"""Least squares on the inputs and a few products of them: the baseline that the others have to beat."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.linear_model import LinearRegression

from domain.entities.trips import Floats
from domain.features import Matrix


@dataclass(frozen=True, slots=True)
class FittedLine:
    """Coefficients of shape (f,) in seconds per unit of each input, and the intercept in seconds."""

    coefficients: NDArray[np.float64]
    intercept: float
    spread: NDArray[np.float64]

    def predict(self, features: Matrix) -> NDArray[np.float32]:
        """Seconds."""
        return np.asarray(features @ self.coefficients + self.intercept, dtype=np.float32)

    def importances(self) -> NDArray[np.float64]:
        """Seconds that one standard deviation of the input is worth."""
        return np.abs(self.coefficients) * self.spread

    def to_onnx(self) -> bytes:
        """Multiply and sum in float64, row by row.

        Not ONNX's LinearRegressor: its matrix product rounds a row otherwise alone than in a batch (measured), and predictions
        must be equal to the bit however trips arrive.
        """
        constants = {
            "coefficients": self.coefficients,
            "intercept": np.array(self.intercept),
            "axis": np.array([1], dtype=np.int64),
        }
        nodes = [
            helper.make_node("Cast", ["features"], ["wide"], to=TensorProto.DOUBLE),
            helper.make_node("Mul", ["wide", "coefficients"], ["products"]),
            helper.make_node("ReduceSum", ["products", "axis"], ["sums"], keepdims=0),
            helper.make_node("Add", ["sums", "intercept"], ["exact"]),
            helper.make_node("Cast", ["exact"], ["answer"], to=TensorProto.FLOAT),
        ]
        graph = helper.make_graph(
            nodes,
            "linear_regression",
            [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, len(self.coefficients)])],
            [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [None])],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        )
        model: onnx.ModelProto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
        return bytes(model.SerializeToString())


@dataclass(frozen=True, slots=True)
class LeastSquares:
    """Ordinary least squares."""

    name: str = "linear_regression"
    most_rows: int = 2_000_000  # it works in float64; two million rows determine a few dozen coefficients well

    @property
    def parameters(self) -> Mapping[str, float | str]:
        """What can be set."""
        return {"most_rows": self.most_rows}

    def fit(self, features: Matrix, seconds: Floats, threads: int, weights: Floats | None = None) -> FittedLine:
        """Train on evenly spaced rows when there are too many."""
        step = -(-len(features) // self.most_rows)
        model = LinearRegression(n_jobs=threads)
        model.fit(features[::step].astype(np.float64), seconds[::step], None if weights is None else weights[::step])
        return FittedLine(model.coef_, float(model.intercept_), features[::step].std(axis=0, dtype=np.float64))


CANDIDATE = LeastSquares()
