"""The champion that everybody runs: trained once for each world on the simulated city's history."""

import json
from pathlib import Path
from typing import Any

from adapters.environment.settings import MlflowSettings
from adapters.mlflow.registry import Registry
from adapters.mlflow.rest import MlflowRest
from benchmarks.world import World
from domain.entities.models import Alias

HISTORY_TRIPS = 20_000


def champion(world: World, say: Any, trips: int = HISTORY_TRIPS) -> Path:
    """Train, promote and fetch, or take the one that is there; returns the verified ONNX file, with which all sides score."""
    if not _champions(world):
        say("training the champion that everybody runs")
        world.tripcast("simulate", "--history", str(trips))
        world.tripcast("train", "--reason", "benchmark")
    (version,) = _champions(world)
    with world.process("fetch.log", "-m", "cli", "verify", "--json"):
        pass
    return world.folder / "data" / "models" / str(version["version"]) / "model.onnx"


def _champions(world: World) -> list[dict[str, Any]]:
    return [model for model in json.loads(world.tripcast("models", "--json")) if "champion" in model["aliases"]]


class Challenger:
    """A second version, trained once like the champion; it shadows while the block runs, and not outside."""

    def __init__(self, world: World, say: Any) -> None:
        say("training the challenger")
        world.tripcast("train", "--no-promote", "--reason", "benchmark")
        settings = MlflowSettings(mlflow=world.mlflow)
        self._registry = Registry(MlflowRest(settings.mlflow, seconds=settings.mlflow_seconds), settings.model)
        found = self._registry.resolve(Alias.CHALLENGER)
        assert found is not None
        self._version = found.version
        self._registry.drop_alias(Alias.CHALLENGER)

    def __enter__(self) -> None:
        self._registry.set_alias(Alias.CHALLENGER, self._version)

    def __exit__(self, *_: object) -> None:
        self._registry.drop_alias(Alias.CHALLENGER)
