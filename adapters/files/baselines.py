"""The recorded baseline of the model gate: a JSON file that people review."""

from pathlib import Path

import msgspec

from domain.errors import InvalidInput
from domain.model_gate import Baseline


def read_baseline(path: Path) -> Baseline:
    """What was recorded. Raises InvalidInput."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Baseline)
    except (OSError, msgspec.MsgspecError) as error:
        raise InvalidInput(f"{path} is not a baseline of the model gate: {error}") from error


def write_baseline(path: Path, baseline: Baseline) -> None:
    """Replace the file. Numbers are written in full, so that a review shows every change."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.new")
    beside.write_bytes(msgspec.json.format(msgspec.json.encode(baseline), indent=2) + b"\n")
    beside.replace(path)
