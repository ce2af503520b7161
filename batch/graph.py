"""Give every candidate's graph one shape: features (n, f) in, positive seconds (n,) out."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from domain.errors import ModelRefused
from domain.quality import TRAINING_DURATION_SECONDS

INPUT, OUTPUT = "features", "seconds"


def finish(content: bytes, width: int) -> bytes:
    """Append flattening and clipping to the durations that models learn from, so that no answer is negative or absurd.

    Raises ModelRefused when the content is no ONNX model, or not one of numbers in and one number out.
    """
    model = _opened(content)
    graph = model.graph
    raw = graph.output[0].name
    shortest, longest = (np.array(bound, dtype=np.float32) for bound in TRAINING_DURATION_SECONDS)
    constants = {"flat": np.array([-1], dtype=np.int64), "shortest": shortest, "longest": longest}
    graph.initializer.extend(
        numpy_helper.from_array(np.asarray(value), f"tripcast_{name}") for name, value in constants.items()
    )
    graph.node.append(helper.make_node("Reshape", [raw, "tripcast_flat"], ["tripcast_answer"]))
    # Max and Min rather than Clip, whose form depends on the version of ONNX that the converter wrote.
    graph.node.append(helper.make_node("Max", ["tripcast_answer", "tripcast_shortest"], ["tripcast_long_enough"]))
    graph.node.append(helper.make_node("Min", ["tripcast_long_enough", "tripcast_longest"], [OUTPUT]))
    _rename_input(graph)
    del graph.output[:], graph.input[:]
    graph.output.append(helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, [None]))
    graph.input.append(helper.make_tensor_value_info(INPUT, TensorProto.FLOAT, [None, width]))
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def _opened(content: bytes) -> onnx.ModelProto:
    try:
        model = onnx.load_from_string(content)
        onnx.checker.check_model(model)
    except Exception as error:
        raise ModelRefused(f"to_onnx: not an ONNX model: {' '.join(str(error).split())[:200]}") from error
    if len(model.graph.input) != 1:
        raise ModelRefused(f"to_onnx: the graph has {len(model.graph.input)} inputs instead of one of all features")
    for kind, value in (("input", model.graph.input[0]), ("first output", model.graph.output[0])):
        if (found := value.type.tensor_type.elem_type) != TensorProto.FLOAT:
            name = TensorProto.DataType.Name(found).lower()
            raise ModelRefused(f"to_onnx: the graph's {kind} is of type {name} instead of float (32 bits)")
    return model


def _rename_input(graph: onnx.GraphProto) -> None:
    """Converters name it as they like; the signature in the registry, which pyfunc goes by, says INPUT."""
    given = graph.input[0].name
    for node in graph.node:
        node.input[:] = [INPUT if name == given else name for name in node.input]
