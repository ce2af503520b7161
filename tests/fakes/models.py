"""Small real models: graphs that ONNX Runtime opens, packed as a training packs them."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from onnx import TensorProto, helper, numpy_helper

from adapters.onnx import package as files
from adapters.onnx.model import Graph
from batch.graph import finish
from domain.features import FEATURES, CityClock, Matrix, feature_schema
from domain.intervals import IntervalBands
from domain.packages import ModelPackage

CLOCK = CityClock()
INTERVALS = IntervalBands((600.0,), (0.5, 0.6), (1.8, 1.7))


def inputs(rows: int = 40, seed: int = 1) -> Matrix:
    return np.random.default_rng(seed).uniform(0, 20, (rows, len(FEATURES))).astype(np.float32)


def distance_graph(seconds_per_km: float, start_seconds: float = 120.0, width: int = len(FEATURES)) -> bytes:
    """start_seconds + seconds_per_km * distance_km, clipped as every registered graph is."""
    return finish(raw_distance_graph(seconds_per_km, start_seconds, width), width)


def raw_distance_graph(seconds_per_km: float, start_seconds: float = 120.0, width: int = len(FEATURES)) -> bytes:
    """The same as a candidate gives it."""
    weights = np.zeros(width)
    weights[FEATURES.index("distance_km")] = seconds_per_km
    constants = {"weights": weights, "start": np.array(start_seconds), "axis": np.array([1], dtype=np.int64)}
    nodes = [
        helper.make_node("Cast", ["features"], ["wide"], to=TensorProto.DOUBLE),
        helper.make_node("Mul", ["wide", "weights"], ["products"]),
        helper.make_node("ReduceSum", ["products", "axis"], ["sums"], keepdims=0),
        helper.make_node("Add", ["sums", "start"], ["exact"]),
        helper.make_node("Cast", ["exact"], ["answer"], to=TensorProto.FLOAT),
    ]
    graph = helper.make_graph(
        nodes,
        "distance",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, width])],
        [helper.make_tensor_value_info("answer", TensorProto.FLOAT, [None])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    return bytes(model.SerializeToString())


def distance_package(seconds_per_km: float = 150.0, *, schema: str | None = None, kind: str = "distance") -> ModelPackage:
    graph = distance_graph(seconds_per_km)
    recorded = inputs(12, seed=2)
    answers = Graph.open(graph, len(FEATURES))(recorded)
    return ModelPackage(kind, schema or feature_schema(CLOCK), FEATURES, INTERVALS, graph, recorded, answers)


def files_of(package: ModelPackage) -> dict[str, bytes]:
    with TemporaryDirectory() as folder:
        files.write(package, Path(folder))
        return {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def slow_graph(rounds: int, seconds: float = 300.0) -> bytes:
    """Always the same answer, after a loop of so many rounds; a hundred thousand take about a tenth of a second."""
    value, flag = helper.make_tensor_value_info, TensorProto.BOOL
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["go_on"]), helper.make_node("Identity", ["x"], ["y"])],
        "nothing",
        [value("round", TensorProto.INT64, []), value("go", flag, []), value("x", TensorProto.FLOAT, [None])],
        [value("go_on", flag, []), value("y", TensorProto.FLOAT, [None])],
    )
    constants = {
        "axis": np.array([1], dtype=np.int64),
        "zero": np.array(0, dtype=np.float32),
        "answer": np.array(seconds, dtype=np.float32),
        "rounds": np.array(rounds, dtype=np.int64),
        "always": np.array(True),
    }
    nodes = [
        helper.make_node("ReduceSum", ["features", "axis"], ["sums"], keepdims=0),
        helper.make_node("Mul", ["sums", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "answer"], ["start"]),
        helper.make_node("Loop", ["rounds", "always", "start"], ["seconds"], body=body),
    ]
    graph = helper.make_graph(
        nodes,
        "slow",
        [value("features", TensorProto.FLOAT, [None, len(FEATURES)])],
        [value("seconds", TensorProto.FLOAT, [None])],
        [numpy_helper.from_array(constant, name) for name, constant in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    return bytes(model.SerializeToString())


def constant_graph(answer: float) -> bytes:
    """A graph of the right shape that always answers the same, unclipped."""
    nodes = [
        helper.make_node("ReduceSum", ["features", "axis"], ["sums"], keepdims=0),
        helper.make_node("Mul", ["sums", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "answer"], ["seconds"]),
    ]
    constants = {
        "axis": np.array([1], dtype=np.int64),
        "zero": np.array(0, dtype=np.float32),
        "answer": np.array(answer, dtype=np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "constant",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, len(FEATURES)])],
        [helper.make_tensor_value_info("seconds", TensorProto.FLOAT, [None])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8).SerializeToString())
