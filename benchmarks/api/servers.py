"""The servers that are compared, as processes: `tripcast api` and `mlflow models serve`, one serving process each."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.world import REPOSITORY, World
from cli.embedded.mlflow import http_ok
from cli.embedded.ports import HOST, free_ports

CHECKED, UNCHECKED = "trip-duration-pyfunc", "trip-duration-pyfunc-without-signature"  # registered models
DEADLINE_SECONDS = 90.0
NO_LIMIT = "1000000000"  # requests a minute: the limiter counts and never refuses
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "PYTHONWARNINGS": "ignore"}


@dataclass(frozen=True, slots=True)
class Server:
    """Where it is, and its process."""

    address: str
    pid: int


@contextmanager
def our_api(world: World, **more: str) -> Iterator[Server]:
    """Our API while the block runs, as users start it, with the log of predictions and without a key."""
    (port,) = free_ports(1)
    settings = {"TRIPCAST_API_PORT": str(port), "TRIPCAST_API_RATE": NO_LIMIT, **more}
    with served(world, "api.log", port, "/readyz", "cli", "api", **settings) as server:
        yield server


@contextmanager
def mlflow_server(world: World, model: str) -> Iterator[Server]:
    """MLflow's own server for a registered model while the block runs."""
    (port,) = free_ports(1)
    options = ("models", "serve", "-m", model, "--env-manager", "local", "--host", HOST, "--port", str(port))
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"  # MLflow calls uvicorn by name
    settings = QUIET | {"MLFLOW_TRACKING_URI": world.mlflow, "PATH": path}
    with served(world, f"serve-{port}.log", port, "/ping", "mlflow", *options, **settings) as server:
        yield server


@contextmanager
def at_once(world: World) -> Iterator[Server]:
    """A server that does nothing but answer."""
    (port,) = free_ports(1)
    with served(world, "at-once.log", port, "/", "benchmarks.api.at_once", str(port)) as server:
        yield server


def log_pyfunc(world: World, graph: Path) -> None:
    """Register the graph in MLflow's pyfunc flavour."""
    command = [sys.executable, "-m", "benchmarks.api.log_pyfunc", "--graph", str(graph)]
    environment = world.environment(MLFLOW_TRACKING_URI=world.mlflow, **QUIET)
    done = subprocess.run(command, env=environment, cwd=REPOSITORY, check=False, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"MLflow did not take the model: {done.stderr[-2000:]}")


@contextmanager
def served(
    world: World, log: str, port: int, ready: str, module: str, *arguments: str, python: str = sys.executable, **settings: str
) -> Iterator[Server]:
    """A Python module that serves on `port` while the block runs; it is awaited until `ready` answers."""
    address = f"http://{HOST}:{port}"
    with world.process(log, "-m", module, *arguments, python=python, **settings) as process:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not http_ok(f"{address}{ready}"):
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{module} does not serve: {(world.folder / log).read_text()[-2000:]}")
            time.sleep(0.1)
        yield Server(address, process.pid)
