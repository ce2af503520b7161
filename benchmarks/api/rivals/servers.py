"""MLServer and BentoML as processes, set up as their documents say for a model that is asked one trip at a time."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.api.rivals import GRAPH
from benchmarks.api.servers import CHECKED, QUIET, Server, served
from benchmarks.world import REPOSITORY, World
from cli.embedded.ports import HOST, free_ports

PYTHON = str(REPOSITORY / ".venv-rivals-api" / "bin" / "python")
SERVICE = "benchmarks.api.rivals.bento_service:TripDuration"
HERE = {"PYTHONPATH": str(REPOSITORY)}
# One process, as the others: with `parallel_workers` every request crosses a queue to a second one.
MLSERVER: dict[str, object] = {"host": HOST, "debug": False, "parallel_workers": 0}
BATCHING: dict[str, object] = {"max_batch_size": 64, "max_batch_time": 0.002}  # seconds that a request may wait for others


@contextmanager
def mlserver(world: World) -> Iterator[Server]:
    """MLServer with its MLflow flavour, adaptive batching on, serving the registered pyfunc model with a signature."""
    ports = free_ports(3)
    folder = world.folder / "mlserver"
    folder.mkdir(exist_ok=True)
    names = ("http_port", "grpc_port", "metrics_port")
    _write(folder / "settings.json", MLSERVER | dict(zip(names, ports, strict=True)))
    model: dict[str, object] = {
        "implementation": "mlserver_mlflow.MLflowRuntime",
        "parameters": {"uri": f"models:/{CHECKED}/1"},
    }
    _write(folder / "model-settings.json", {"name": "trip", **BATCHING, **model})
    settings = QUIET | HERE | {"MLFLOW_TRACKING_URI": world.mlflow}
    started = ("mlserver.cli.main", "start", str(folder))
    with served(world, "mlserver.log", ports[0], "/v2/models/trip/ready", *started, python=PYTHON, **settings) as server:
        yield server


@contextmanager
def bentoml(world: World, graph: Path) -> Iterator[Server]:
    """A BentoML service of the same graph and features, adaptive batching on."""
    (port,) = free_ports(1)
    settings = HERE | {GRAPH: str(graph), "BENTOML_DO_NOT_TRACK": "true", "BENTOML_HOME": str(world.folder / "bentoml")}
    started = ("bentoml", "serve", SERVICE, "--host", HOST, "--port", str(port))
    with served(world, "bentoml.log", port, "/readyz", *started, python=PYTHON, **settings) as server:
        yield server


def _write(file: Path, content: dict[str, object]) -> None:
    file.write_text(json.dumps(content))
