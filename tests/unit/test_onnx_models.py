"""What a worker refuses to score with, check by check, and what it accepts. Real ONNX Runtime, real files."""

import json
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from adapters.onnx import model
from adapters.onnx.local_models import KEPT_COPIES, LocalModels
from adapters.onnx.model import Graph
from domain.entities.models import ModelFile
from domain.errors import ModelRefused
from domain.features import FEATURES, CityClock, feature_schema
from domain.packages import ModelPackage
from domain.ports import ScoringModel
from tests.fakes.models import CLOCK, INTERVALS, constant_graph, distance_graph, distance_package, files_of, inputs, slow_graph
from tests.fakes.registry import InMemoryRegistry

SCHEMA = feature_schema(CLOCK)
Files = dict[str, bytes]


class Planted:
    """Unpickling this would be noticed."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return (exec, ("raise SystemExit('code from the registry was run')",))


def admit(files: Files, tmp_path: Path, *, kind: str = "distance", schema: str = SCHEMA) -> ScoringModel:
    registry = InMemoryRegistry()
    version = registry.add(files, kind, schema)
    return LocalModels(tmp_path, SCHEMA).admit(registry.get(version), registry.download)


def manifest_with(files: Files, **changes: object) -> Files:
    manifest = {**json.loads(files["manifest.json"]), **changes}
    return {**files, "manifest.json": json.dumps(manifest).encode()}


def batch_sensitive_graph() -> bytes:
    """A graph whose answer for a row depends on the rows beside it."""
    nodes = [
        helper.make_node("ReduceSum", ["features", "axis"], ["sums"], keepdims=0),
        helper.make_node("ReduceMax", ["sums"], ["most"], keepdims=1),
        helper.make_node("Add", ["sums", "most"], ["seconds"]),
    ]
    graph = helper.make_graph(
        nodes,
        "sensitive",
        [helper.make_tensor_value_info("features", TensorProto.FLOAT, [None, len(FEATURES)])],
        [helper.make_tensor_value_info("seconds", TensorProto.FLOAT, [None])],
        [numpy_helper.from_array(np.array([1], dtype=np.int64), "axis")],
    )
    return bytes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8).SerializeToString())


def with_graph(graph: bytes) -> Files:
    package = distance_package()
    answers = Graph.open(graph, len(FEATURES))(package.warm_up_inputs)
    return files_of(replace(package, graph=graph, warm_up_outputs=answers))


def test_a_true_copy_scores_as_it_did_when_it_was_registered(tmp_path: Path) -> None:
    package = distance_package(150.0)
    model = admit(files_of(package), tmp_path)
    assert (model.version, model.feature_schema, model.intervals) == (1, SCHEMA, INTERVALS)
    assert np.array_equal(model.duration_seconds(package.warm_up_inputs), package.warm_up_outputs)


def test_no_rows_give_no_answers(tmp_path: Path) -> None:
    model = admit(files_of(distance_package()), tmp_path)
    answer = model.duration_seconds(inputs(0))
    assert answer.shape == (0,)
    assert answer.dtype == np.float32


def test_a_flipped_byte_is_refused(tmp_path: Path) -> None:
    registry = InMemoryRegistry()
    files = files_of(distance_package())
    version = registry.add(files, "distance", SCHEMA)
    flipped = bytearray(files["model.onnx"])
    flipped[len(flipped) // 2] ^= 1
    registry.replace_file(version, "model.onnx", bytes(flipped))
    with pytest.raises(ModelRefused, match=r"sha256 of model\.onnx"):
        LocalModels(tmp_path, SCHEMA).admit(registry.get(version), registry.download)
    assert not list(tmp_path.iterdir()), "nothing of a refused version stays on disk"


def test_another_size_is_refused_before_the_file_is_read(tmp_path: Path) -> None:
    registry = InMemoryRegistry()
    version = registry.add(files_of(distance_package()), "distance", SCHEMA)
    registry.replace_file(version, "model.onnx", b"short")
    with pytest.raises(ModelRefused, match="has 5 bytes, the registry records"):
        LocalModels(tmp_path, SCHEMA).admit(registry.get(version), registry.download)


def test_an_edited_manifest_is_refused(tmp_path: Path) -> None:
    registry = InMemoryRegistry()
    files = files_of(distance_package())
    version = registry.add(files, "distance", SCHEMA)
    edited = files["manifest.json"].replace(b"distance", b"distanc3")
    registry.replace_file(version, "manifest.json", edited)
    with pytest.raises(ModelRefused, match=r"sha256 of manifest\.json"):
        LocalModels(tmp_path, SCHEMA).admit(registry.get(version), registry.download)


def test_a_planted_pickle_is_refused_and_not_run_even_with_a_matching_record(tmp_path: Path) -> None:
    files = {**files_of(distance_package()), "model.onnx": pickle.dumps(Planted())}
    with pytest.raises(ModelRefused, match="not an ONNX model"):
        admit(files, tmp_path)


def test_a_version_without_recorded_hashes_is_refused(tmp_path: Path) -> None:
    registry = InMemoryRegistry()
    version = registry.add(files_of(distance_package()), "distance", SCHEMA)
    unrecorded = replace(registry.get(version), files=(ModelFile("manifest.json", 1, "0"),))
    with pytest.raises(ModelRefused, match="records no size and sha256"):
        LocalModels(tmp_path, SCHEMA).admit(unrecorded, registry.download)


def test_another_feature_schema_is_refused(tmp_path: Path) -> None:
    elsewhere = feature_schema(CityClock("Europe/Berlin"))
    with pytest.raises(ModelRefused, match=f"feature schema {elsewhere}"):
        admit(files_of(distance_package(schema=elsewhere)), tmp_path, schema=elsewhere)


def test_features_in_another_order_are_refused_even_under_the_same_schema_name(tmp_path: Path) -> None:
    package = replace(distance_package(), features=tuple(reversed(FEATURES)))
    with pytest.raises(ModelRefused, match="feature schema"):
        admit(files_of(package), tmp_path)


def test_a_manifest_of_another_kind_than_the_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="another kind"):
        admit(files_of(distance_package()), tmp_path, kind="xgboost")


def test_a_manifest_of_another_feature_schema_than_the_record_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="another kind or feature schema"):
        admit(files_of(distance_package()), tmp_path, schema=feature_schema(CityClock("Europe/Berlin")))


@pytest.mark.parametrize("answer", [float("nan"), float("inf"), 0.0, -60.0])
def test_an_answer_that_is_no_positive_number_is_refused(tmp_path: Path, answer: float) -> None:
    graph = constant_graph(answer)
    recorded = np.full(12, 300.0, dtype=np.float32)
    with pytest.raises(ModelRefused, match="not a positive number"):
        admit(files_of(replace(distance_package(), graph=graph, warm_up_outputs=recorded)), tmp_path)


def test_another_answer_than_recorded_is_refused(tmp_path: Path) -> None:
    package = replace(distance_package(150.0), graph=distance_graph(151.0))
    with pytest.raises(ModelRefused, match="differently than recorded"):
        admit(files_of(package), tmp_path)


def test_a_graph_whose_rows_influence_each_other_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match="depends on the rows beside it"):
        admit(with_graph(batch_sensitive_graph()), tmp_path)


@pytest.mark.parametrize(
    ("rounds", "deadline", "words"),
    [(1_000_000, 60.0, "us a trip, 1,000 are allowed"), (10**9, 0.2, r"12 rows are not scored within 0\.2 s")],
    ids=["slow", "endless"],
)
def test_a_graph_that_is_too_slow_for_the_stream_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rounds: int, deadline: float, words: str
) -> None:
    monkeypatch.setattr(model, "DEADLINE_SECONDS", deadline)
    monkeypatch.setattr(model, "TIMED_TRIES", 1)
    recorded = np.full(12, 300.0, dtype=np.float32)
    with pytest.raises(ModelRefused, match=f"version 1: it is too slow: .*{words}"):
        admit(files_of(replace(distance_package(), graph=slow_graph(rounds), warm_up_outputs=recorded)), tmp_path)


def test_a_graph_of_another_width_is_refused(tmp_path: Path) -> None:
    package = replace(distance_package(), graph=distance_graph(150.0, width=len(FEATURES) + 1))
    with pytest.raises(ModelRefused, match="does not map"):
        admit(files_of(package), tmp_path)


def test_a_graph_with_a_second_answer_is_refused(tmp_path: Path) -> None:
    model = onnx.load_from_string(distance_graph(150.0))
    [first] = model.graph.output
    model.graph.node.append(onnx.helper.make_node("Identity", [first.name], ["again"]))
    model.graph.output.append(onnx.helper.make_tensor_value_info("again", TensorProto.FLOAT, [None]))
    with pytest.raises(ModelRefused, match="1 inputs and 2 outputs"):
        admit(with_graph(model.SerializeToString()), tmp_path)


def test_a_graph_that_names_a_file_outside_itself_is_refused(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(b"\0" * 4 * len(FEATURES))
    model = onnx.load_from_string(distance_graph(150.0))
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "weights")
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=str(secret))
    with pytest.raises(ModelRefused, match="not an ONNX model that ONNX Runtime can open"):
        admit(files_of(replace(distance_package(), graph=model.SerializeToString())), tmp_path / "models")


@pytest.mark.parametrize(
    ("changes", "check"),
    [
        ({"format": 2}, "not a manifest of format 1"),
        ({"surprise": 1}, "not a manifest of format 1"),
        ({"warm_up_inputs": [], "warm_up_outputs": []}, "no recorded answers"),
        ({"warm_up_inputs": [[1.0], [2.0, 3.0]]}, "not a manifest of format 1"),
        ({"warm_up_outputs": [1.0]}, "wrong shape"),
        ({"intervals": {"edges_seconds": [1.0], "lower_factors": [0.5], "upper_factors": [1.5]}}, "k - 1 edges"),
        ({"intervals": {"edges_seconds": [], "lower_factors": [2.0], "upper_factors": [1.5]}}, "positive and ordered"),
        ({"intervals": {"edges_seconds": [], "lower_factors": [-1.0], "upper_factors": [1.5]}}, "positive and ordered"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(tmp_path: Path, changes: dict[str, object], check: str) -> None:
    with pytest.raises(ModelRefused, match=check):
        admit(manifest_with(files_of(distance_package()), **changes), tmp_path)


def test_a_good_local_copy_spares_the_download_and_a_bad_one_is_replaced(tmp_path: Path) -> None:
    registry = InMemoryRegistry()
    version = registry.get(registry.add(files_of(distance_package()), "distance", SCHEMA))
    library = LocalModels(tmp_path, SCHEMA)
    library.admit(version, registry.download)
    library.admit(version, registry.download)
    assert registry.downloads == [1]
    (tmp_path / "1" / "manifest.json").unlink()
    library.admit(version, registry.download)
    assert registry.downloads == [1, 1]
    assert sorted(path.name for path in (tmp_path / "1").iterdir()) == ["manifest.json", "model.onnx"]
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_the_champion_is_remembered_whole_or_not_at_all(tmp_path: Path) -> None:
    registry, library = InMemoryRegistry(), LocalModels(tmp_path, SCHEMA)
    assert library.last_champion() is None
    version = registry.get(registry.add(files_of(distance_package()), "distance", SCHEMA, {"rmse_minutes": 5.0}))
    library.remember_champion(version)
    assert library.last_champion() == version
    (tmp_path / "champion.json").write_bytes(b'{"version":')
    assert library.last_champion() is None


def test_old_copies_go_but_never_the_champions(tmp_path: Path) -> None:
    registry, library = InMemoryRegistry(), LocalModels(tmp_path, SCHEMA)
    files = files_of(distance_package())
    versions = [registry.get(registry.add(files, "distance", SCHEMA)) for _ in range(KEPT_COPIES + 3)]
    for version in versions:
        library.admit(version, registry.download)
    library.remember_champion(versions[0])
    kept = {int(path.name) for path in tmp_path.iterdir() if path.is_dir()}
    assert kept == {1, *range(4, KEPT_COPIES + 4)}


def test_floats_survive_the_manifest_to_the_bit(tmp_path: Path) -> None:
    package: ModelPackage = distance_package(np.pi)
    model = admit(files_of(package), tmp_path)
    assert np.array_equal(model.duration_seconds(package.warm_up_inputs), package.warm_up_outputs)
