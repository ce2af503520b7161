"""Graphs that score: opened from verified bytes alone, tried on recorded inputs, refused when anything differs."""

import time
from dataclasses import dataclass
from threading import Timer

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from domain.entities.models import ModelVersion
from domain.errors import ModelRefused
from domain.features import FEATURES, Matrix
from domain.intervals import IntervalBands
from domain.packages import ModelPackage

# The recorded answers may come from another processor, whose vector instructions round otherwise in the last bits.
# On one machine the answers are equal to the bit, which `tripcast verify` relies on.
WARM_UP_TOLERANCE = 1e-5
# Five times what a training may register (`domain.gates`): this machine may be slower or busy, and a champion that is refused
# in error is worse than one that is a little slow. The best of the tries counts.
SLOWEST_MICROSECONDS = 1000.0  # a trip
TIMED_ROWS = 256
TIMED_TRIES = 5
NO_FOLDER = "/dev/null"
DEADLINE_SECONDS = 10.0  # of one run; a graph may hold a loop without an end


@dataclass(frozen=True, slots=True)
class Graph:
    """An opened graph: features of shape (n, f) in, seconds of shape (n,) out."""

    session: onnxruntime.InferenceSession
    input_name: str

    @classmethod
    def open(cls, content: bytes, width: int) -> "Graph":
        """Open a graph of `width` inputs. Raises ModelRefused when the bytes are no ONNX model of our shape."""
        try:
            session = onnxruntime.InferenceSession(content, _options(), providers=["CPUExecutionProvider"])
        except Exception as error:
            raise ModelRefused(f"not an ONNX model that ONNX Runtime can open: {_first_line(error)}") from error
        _check_signature(session, width)
        return cls(session, session.get_inputs()[0].name)

    def __call__(self, features: Matrix) -> NDArray[np.float32]:
        """Score. A row's bits do not depend on the other rows. Releases the GIL."""
        if len(features) == 0:
            return np.empty(0, dtype=np.float32)
        answer: NDArray[np.float32] = self.session.run(None, {self.input_name: features})[0]
        return answer

    def within(self, seconds: float, features: Matrix) -> NDArray[np.float32]:
        """Score, or give up. Raises ModelRefused after `seconds`; the time limit holds between two nodes of the graph."""
        options = onnxruntime.RunOptions()
        options.log_severity_level = 4
        given_up = Timer(seconds, setattr, (options, "terminate", True))
        given_up.start()
        try:
            answer: NDArray[np.float32] = self.session.run(None, {self.input_name: features}, options)[0]
        except Exception as error:
            if options.terminate:
                raise ModelRefused(f"it is too slow: {len(features)} rows are not scored within {seconds:g} s") from error
            raise ModelRefused(f"it failed on its recorded inputs: {_first_line(error)}") from error
        finally:
            given_up.cancel()
        return answer


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """A verified, warmed-up version; implements `domain.ports.ScoringModel`."""

    version: int
    feature_schema: str
    intervals: IntervalBands
    graph: Graph

    def duration_seconds(self, features: Matrix) -> NDArray[np.float32]:
        """Shape (n,) for features of shape (n, f)."""
        return self.graph(features)


def open_model(version: ModelVersion, package: ModelPackage, feature_schema: str) -> OnnxModel:
    """Make a model that may score, or raise ModelRefused naming the check that failed. `feature_schema` is the running one."""
    try:
        _check_inputs(version, package, feature_schema)
        graph = Graph.open(package.graph, len(package.features))
        _warm_up(graph, package)
    except ModelRefused as error:
        raise ModelRefused(f"version {version.version}: {error}") from error
    return OnnxModel(version.version, package.feature_schema, package.intervals, graph)


def _check_inputs(version: ModelVersion, package: ModelPackage, feature_schema: str) -> None:
    if package.feature_schema != feature_schema or package.features != FEATURES:
        raise ModelRefused(f"it was trained on feature schema {package.feature_schema}, this program computes {feature_schema}")
    if (version.kind, version.feature_schema) != (package.kind, package.feature_schema):
        raise ModelRefused("the registry names another kind or feature schema than the manifest")
    factors = np.array([package.intervals.lower_factors, package.intervals.upper_factors])
    if not (np.isfinite(factors).all() and (factors > 0).all() and (factors[0] <= factors[1]).all()):
        raise ModelRefused("its interval factors are not positive and ordered")


def _check_signature(session: onnxruntime.InferenceSession, width: int) -> None:
    inputs, outputs = session.get_inputs(), session.get_outputs()
    if len(inputs) != 1 or len(outputs) != 1:
        raise ModelRefused(f"its graph has {len(inputs)} inputs and {len(outputs)} outputs instead of one of each")
    shapes = (inputs[0].type, inputs[0].shape[1:], outputs[0].type, len(outputs[0].shape))
    if shapes != ("tensor(float)", [width], "tensor(float)", 1):
        raise ModelRefused(f"its graph does not map float32 (n, {width}) to float32 (n,)")


def _warm_up(graph: Graph, package: ModelPackage) -> None:
    inputs, recorded = package.warm_up_inputs, package.warm_up_outputs
    if inputs.ndim != 2 or inputs.shape[1] != len(package.features) or recorded.shape != (len(inputs),):  # noqa: PLR2004 - rows, inputs
        raise ModelRefused("its recorded inputs and answers have the wrong shape")
    answers = graph.within(DEADLINE_SECONDS, inputs)
    _check_speed(graph, inputs)
    alone = np.concatenate([graph.within(DEADLINE_SECONDS, inputs[row : row + 1]) for row in range(len(inputs))])
    if not np.isfinite(answers).all() or answers.min() <= 0:
        raise ModelRefused("it answers with something that is not a positive number of seconds")
    if not np.allclose(answers, recorded, rtol=WARM_UP_TOLERANCE, atol=0):
        raise ModelRefused("it answers differently than recorded")
    if not np.array_equal(answers, alone):
        raise ModelRefused("a row's answer depends on the rows beside it")


def _check_speed(graph: Graph, inputs: Matrix) -> None:
    rows, fastest = np.resize(inputs, (TIMED_ROWS, inputs.shape[1])), float("inf")
    for _ in range(TIMED_TRIES):
        began = time.perf_counter()
        graph.within(DEADLINE_SECONDS, rows)
        fastest = min(fastest, (time.perf_counter() - began) / TIMED_ROWS * 1e6)
        if fastest <= SLOWEST_MICROSECONDS:
            return
    raise ModelRefused(f"it is too slow: {fastest:,.0f} us a trip, {SLOWEST_MICROSECONDS:,.0f} are allowed")


def _options() -> onnxruntime.SessionOptions:
    """One thread: with two, ONNX Runtime sums trees in another order, so that the bits of a row vary (measured with 1.32)."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # its failures are raised; its log lines have no place in ours
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    # Else weights that a graph keeps outside itself are read from the working folder, unverified.
    options.add_session_config_entry("session.model_external_initializers_file_folder_path", NO_FOLDER)
    return options


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
