"""The servers that are compared, as processes: `tripcast api` and `mlflow models serve`, one serving process each."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.world import REPOSITORY, World
from cli.embedded.mlflow import http_ok
from cli.embedded.ports import HOST, free_ports

CHECKED, UNCHECKED = "trip-duration-pyfunc", "trip-duration-pyfunc-without-signature"  # registered models
DEADLINE_SECONDS = 90.0
NO_LIMIT = "1000000000"  # requests a minute: the limiter counts and never refuses
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONWARNINGS": "ignore"}


@contextmanager
def our_api(world: World) -> Iterator[str]:
    """The address of our API while the block runs, as users start it, with the log of predictions and without a key."""
    (port,) = free_ports(1)
    settings = {"TRIPCAST_API_PORT": str(port), "TRIPCAST_API_RATE": NO_LIMIT}
    with _served(world, "api.log", f"http://{HOST}:{port}", "/readyz", "cli", "api", **settings) as address:
        yield address


@contextmanager
def mlflow_server(world: World, model: str) -> Iterator[str]:
    """The address of MLflow's own server for a registered model while the block runs."""
    (port,) = free_ports(1)
    options = ("models", "serve", "-m", model, "--env-manager", "local", "--host", HOST, "--port", str(port))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # MLflow calls uvicorn by name
    settings = QUIET | {"MLFLOW_TRACKING_URI": world.mlflow, "PATH": path}
    with _served(world, f"serve-{port}.log", f"http://{HOST}:{port}", "/ping", "mlflow", *options, **settings) as address:
        yield address


@contextmanager
def at_once(world: World) -> Iterator[str]:
    """The address of a server that does nothing but answer."""
    (port,) = free_ports(1)
    with _served(world, "at-once.log", f"http://{HOST}:{port}", "/", "benchmarks.api.at_once", str(port)) as address:
        yield address


def log_pyfunc(world: World, graph: Path) -> None:
    """Register the graph in MLflow's pyfunc flavour."""
    command = [sys.executable, "-m", "benchmarks.api.log_pyfunc", "--graph", str(graph)]
    environment = world.environment(MLFLOW_TRACKING_URI=world.mlflow, **QUIET)
    done = subprocess.run(command, env=environment, cwd=REPOSITORY, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"MLflow did not take the model: {done.stderr[-2000:]}")


@contextmanager
def _served(world: World, log: str, address: str, ready: str, module: str, *arguments: str, **settings: str) -> Iterator[str]:
    with world.process(log, "-m", module, *arguments, **settings) as process:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not http_ok(f"{address}{ready}"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{module} does not serve: {(world.folder / log).read_text()[-2000:]}")
            time.sleep(0.1)
        yield address
