"""A model package as two files, `model.onnx` and `manifest.json`; verified before a byte of them is interpreted."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import msgspec
import numpy as np

from domain.entities.models import ModelFile, ModelVersion
from domain.errors import ModelRefused
from domain.intervals import IntervalBands
from domain.packages import ModelPackage

GRAPH = "model.onnx"
MANIFEST = "manifest.json"
MOST_BYTES = {GRAPH: 1 << 30, MANIFEST: 1 << 24}  # a record that says more is a mistake, or fills the disk of who believes it


class Intervals(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """See `domain.intervals.IntervalBands`."""

    edges_seconds: tuple[float, ...]
    lower_factors: tuple[float, ...]
    upper_factors: tuple[float, ...]


class Manifest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What `manifest.json` says. Floats are float32 values in full, so that they come back as the same bits."""

    format: Literal[1]
    kind: str
    feature_schema: str
    features: tuple[str, ...]
    intervals: Intervals
    warm_up_inputs: list[list[float]]
    warm_up_outputs: list[float]


def write(package: ModelPackage, folder: Path) -> tuple[ModelFile, ...]:
    """Write both files into an existing folder; returns what the registry must record of them."""
    bands = package.intervals
    manifest = Manifest(
        format=1,
        kind=package.kind,
        feature_schema=package.feature_schema,
        features=package.features,
        intervals=Intervals(bands.edges_seconds, bands.lower_factors, bands.upper_factors),
        warm_up_inputs=package.warm_up_inputs.tolist(),
        warm_up_outputs=package.warm_up_outputs.tolist(),
    )
    return _written({GRAPH: package.graph, MANIFEST: msgspec.json.format(msgspec.json.encode(manifest))}, folder)


def copy(source: Path, folder: Path) -> tuple[ModelFile, ...]:
    """Write both files of another folder, byte for byte; returns what the registry must record of them."""
    return _written({name: (source / name).read_bytes() for name in (GRAPH, MANIFEST)}, folder)


def read(version: ModelVersion, folder: Path) -> ModelPackage:
    """Read the version's files, each checked against the registry's record before a byte of it is interpreted.

    Raises ModelRefused naming the file and the check; FileNotFoundError when the folder holds no copy.
    """
    graph, manifest = (_verified(version.version, file, folder) for file in needed(version))
    try:
        return _package(graph, msgspec.json.decode(manifest, type=Manifest))
    except (msgspec.MsgspecError, ValueError) as error:
        raise ModelRefused(f"version {version.version}: {MANIFEST} is not a manifest of format 1: {error}") from error


def needed(version: ModelVersion) -> tuple[ModelFile, ModelFile]:
    """The records of both files, whatever lies beside them. Raises ModelRefused without them, or for sizes that cannot be."""
    recorded = {file.name: file for file in version.files}
    if not recorded.keys() >= {GRAPH, MANIFEST}:
        raise ModelRefused(f"version {version.version}: the registry records no size and sha256 of {GRAPH} and {MANIFEST}")
    for name, most in MOST_BYTES.items():
        if recorded[name].size_bytes > most:
            size = recorded[name].size_bytes
            raise ModelRefused(f"version {version.version}: {name} of {size} bytes is too large, {most} are allowed")
    return recorded[GRAPH], recorded[MANIFEST]


def _written(contents: Mapping[str, bytes], folder: Path) -> tuple[ModelFile, ...]:
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    return tuple(ModelFile(name, len(content), hashlib.sha256(content).hexdigest()) for name, content in contents.items())


def _verified(version: int, file: ModelFile, folder: Path) -> bytes:
    path = folder / file.name
    size = path.stat().st_size
    if size != file.size_bytes:  # before reading: a wrong file may be of any size
        raise ModelRefused(f"version {version}: {file.name} has {size} bytes, the registry records {file.size_bytes}")
    with path.open("rb") as opened:
        content = opened.read(file.size_bytes + 1)  # it may grow meanwhile
    if hashlib.sha256(content).hexdigest() != file.sha256:
        raise ModelRefused(f"version {version}: the sha256 of {file.name} is not the one that the registry records")
    return content


def _package(graph: bytes, manifest: Manifest) -> ModelPackage:
    bands = manifest.intervals
    if not len(bands.lower_factors) == len(bands.upper_factors) == len(bands.edges_seconds) + 1:
        raise ValueError("k - 1 edges need k lower and k upper factors")
    if not manifest.warm_up_inputs:
        raise ValueError("no recorded answers")
    return ModelPackage(
        kind=manifest.kind,
        feature_schema=manifest.feature_schema,
        features=manifest.features,
        intervals=IntervalBands(bands.edges_seconds, bands.lower_factors, bands.upper_factors),
        graph=graph,
        warm_up_inputs=np.array(manifest.warm_up_inputs, dtype=np.float32),
        warm_up_outputs=np.array(manifest.warm_up_outputs, dtype=np.float32),
    )
