"""The champion that everybody runs: trained once for each world on the simulated city's history."""

import json
from pathlib import Path
from typing import Any

from benchmarks.world import World

HISTORY_TRIPS = 20_000


def champion(world: World, say: Any, trips: int = HISTORY_TRIPS) -> Path:
    """Train, promote and fetch; returns the verified ONNX file, which all sides of a comparison score with."""
    say("training the champion that everybody runs")
    world.tripcast("simulate", "--history", str(trips))
    world.tripcast("train", "--reason", "benchmark")
    (version,) = [model for model in json.loads(world.tripcast("models", "--json")) if "champion" in model["aliases"]]
    with world.process("fetch.log", "-m", "cli", "verify", "--json"):
        pass
    return world.folder / "data" / "models" / str(version["version"]) / "model.onnx"
