"""A model file as an attacker would plant it: what reaches beyond the verified bytes is refused by name, and never opened."""

import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from adapters.onnx import package
from adapters.onnx.local_models import LocalModels
from domain.entities.models import ModelFile, ModelVersion
from domain.errors import ModelRefused
from domain.features import FEATURES, feature_schema
from tests.fakes.models import CLOCK, distance_graph, distance_package, files_of
from tests.fakes.registry import InMemoryRegistry

SCHEMA = feature_schema(CLOCK)
CANNOT_OPEN = "not an ONNX model that ONNX Runtime can open"


class Planted:
    """Unpickling this would be noticed."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return (exec, ("raise SystemExit('code from the registry was run')",))


def registered(graph: bytes | None = None, **beside: bytes) -> tuple[ModelVersion, InMemoryRegistry]:
    """A version whose record is right, so that the record alone refuses nothing."""
    whole = distance_package() if graph is None else replace(distance_package(), graph=graph)
    registry = InMemoryRegistry()
    version = registry.get(registry.add({**files_of(whole), **beside}, "distance", SCHEMA))
    return version, registry


def external(location: str, *, constant: bool = False) -> bytes:
    """A graph whose weights are in a file; `constant`: of a node, not of the graph."""
    model = onnx.load_from_string(distance_graph(150.0))
    weights = next(tensor for tensor in model.graph.initializer if tensor.name == "weights")
    weights.ClearField("raw_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value=location)
    if constant:
        model.graph.node.insert(0, helper.make_node("Constant", [], ["weights"], value=weights))
        model.graph.initializer.remove(weights)
    return bytes(model.SerializeToString())


@pytest.mark.parametrize("constant", [False, True])
@pytest.mark.parametrize("location", ["secret", "./secret", "below/../secret", "below/link", "../{here}/secret", "{absolute}"])
def test_weights_in_a_file_of_this_machine_are_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, location: str, constant: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "secret").write_bytes(np.ones(len(FEATURES)).tobytes())
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "link").symlink_to(tmp_path / "secret")
    place = location.format(here=tmp_path.name, absolute=tmp_path / "secret")
    version, registry = registered(external(place, constant=constant))
    with pytest.raises(ModelRefused, match=CANNOT_OPEN):
        LocalModels(tmp_path / "models", SCHEMA).admit(version, registry.download)


def test_an_operator_that_onnx_runtime_does_not_bring_is_refused(tmp_path: Path) -> None:
    model = onnx.load_from_string(distance_graph(150.0))
    model.graph.node[0].op_type, model.graph.node[0].domain = "RunMe", "elsewhere"
    model.opset_import.append(helper.make_opsetid("elsewhere", 1))
    version, registry = registered(model.SerializeToString())
    with pytest.raises(ModelRefused, match=CANNOT_OPEN):
        LocalModels(tmp_path, SCHEMA).admit(version, registry.download)


@pytest.mark.parametrize("name", ["model.onnx", "manifest.json"])
def test_a_record_of_terabytes_is_refused_before_a_byte_is_fetched(tmp_path: Path, name: str) -> None:
    version, registry = registered()
    files = tuple(replace(file, size_bytes=1 << 40) if file.name == name else file for file in version.files)
    with pytest.raises(ModelRefused, match=f"{name} of {1 << 40} bytes is too large"):
        LocalModels(tmp_path, SCHEMA).admit(replace(version, files=files), registry.download)
    assert registry.downloads == []


def test_what_lies_beside_the_model_is_never_fetched(tmp_path: Path) -> None:
    version, registry = registered(**{"model.pkl": pickle.dumps(Planted()), "MLmodel": b"flavors: {python_function: {}}"})
    assert len(version.files) == 4
    fetched: list[tuple[ModelFile, ...]] = []

    def fetch(wanted: ModelVersion, folder: Path) -> None:
        fetched.append(wanted.files)
        registry.download(wanted, folder)

    LocalModels(tmp_path, SCHEMA).admit(version, fetch)
    assert [file.name for file in fetched[0]] == ["model.onnx", "manifest.json"]


@pytest.mark.parametrize("target", ["/dev/zero", "/etc/hostname", "another"])
def test_a_link_in_the_place_of_a_copy_counts_for_what_is_in_it(tmp_path: Path, target: str) -> None:
    version, registry = registered()
    library = LocalModels(tmp_path, SCHEMA)
    library.admit(version, registry.download)
    copy = tmp_path / "1" / "model.onnx"
    (tmp_path / "another").write_bytes(b"\x00" * copy.stat().st_size)
    copy.unlink()
    copy.symlink_to(tmp_path / target)
    library.admit(version, registry.download)
    assert (registry.downloads, copy.is_symlink()) == ([1, 1], False)
    assert (tmp_path / "another").read_bytes().strip(b"\x00") == b""


def test_a_file_that_grows_while_it_is_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    version, registry = registered()
    registry.download(version, tmp_path)
    sizes = {file.name: file.size_bytes for file in version.files}
    with (tmp_path / "model.onnx").open("ab") as file:
        file.write(b"\x00" * 100)
    monkeypatch.setattr(Path, "stat", lambda path: os.stat_result((0o100600, 0, 0, 0, 0, 0, sizes[path.name], 0, 0, 0)))
    with pytest.raises(ModelRefused, match=r"sha256 of model\.onnx"):
        package.read(version, tmp_path)
