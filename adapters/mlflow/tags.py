"""What the registry remembers of a version beside MLflow's own fields: as tags, written by the trainer, read by everybody."""

import re
from collections.abc import Mapping

from domain.entities.models import ModelFile

KIND = "tripcast.kind"
FEATURE_SCHEMA = "tripcast.feature_schema"
METRIC = "tripcast.metric."
FILE = "tripcast.file."
ORIGIN = "tripcast.origin."
_SIZE, _SHA256 = ".size_bytes", ".sha256"
_FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]*")  # a name from elsewhere becomes a path: no folders, no dots in front


def encode(kind: str, feature_schema: str, files: tuple[ModelFile, ...], metrics: Mapping[str, float]) -> dict[str, str]:
    """The tags of a version."""
    tags = {KIND: kind, FEATURE_SCHEMA: feature_schema}
    for file in files:
        tags[f"{FILE}{file.name}{_SIZE}"] = str(file.size_bytes)
        tags[f"{FILE}{file.name}{_SHA256}"] = file.sha256
    return tags | {f"{METRIC}{name}": repr(value) for name, value in metrics.items()}


def origin(of: Mapping[str, str]) -> dict[str, str]:
    """The tags that say where a version was copied from."""
    return {f"{ORIGIN}{name}": value for name, value in of.items()}


def files(tags: Mapping[str, str]) -> tuple[ModelFile, ...]:
    """The files that have a size and a hash; anything malformed counts as absent, so that the version is refused later."""
    names = sorted(tag[len(FILE) : -len(_SHA256)] for tag in tags if tag.startswith(FILE) and tag.endswith(_SHA256))
    return tuple(
        ModelFile(name, int(tags[f"{FILE}{name}{_SIZE}"]), tags[f"{FILE}{name}{_SHA256}"])
        for name in names
        if _FILE_NAME.fullmatch(name) and tags.get(f"{FILE}{name}{_SIZE}", "").isdecimal()
    )


def metrics(tags: Mapping[str, str]) -> dict[str, float]:
    """The metrics by name; what is not a number is left out."""
    return {
        tag.removeprefix(METRIC): value for tag in tags if tag.startswith(METRIC) if (value := _number(tags[tag])) is not None
    }


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
