"""A whole running system for one file of tests: worker, API and board as the processes that `make run` starts."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx

from adapters.mlflow.experiments import Experiments
from adapters.mlflow.registry import Registry
from adapters.mlflow.rest import MlflowRest
from adapters.onnx import package
from adapters.onnx.local_models import LocalModels
from cli.embedded.mlflow import http_ok
from cli.embedded.ports import HOST, free_ports
from domain.entities.models import Alias, ModelVersion
from domain.entities.trainings import TrainedFrom
from domain.features import feature_schema
from domain.split import instant
from tests.browser.background import Background
from tests.browser.traffic import Traffic
from tests.fakes.models import CLOCK, distance_package
from tests.proxy import Proxy
from tests.running import REPOSITORY, World, until
from tests.trips import random_trips

NOBODY = f"http://{HOST}:9"  # no registry: worker and API score with the verified copy on this machine
STOP_SECONDS = 20


@dataclass(frozen=True, slots=True)
class Logins:
    """Addresses of one database, each with another login."""

    owner: str
    worker: str
    api: str
    board: str

    def through(self, port: int) -> "Logins":
        """The same by way of a proxy."""
        return Logins(*(_at(address, port) for address in (self.owner, self.worker, self.api, self.board)))

    @property
    def port(self) -> int:
        """The server's."""
        return urlsplit(self.owner).port or 5432


@dataclass(slots=True)
class System:
    """Its processes reach the database by way of `proxy` and no other; the tests ask it directly, as `world`."""

    background: Background
    world: World
    logins: Logins
    proxy: Proxy
    traffic: Traffic
    api_port: int
    board_port: int
    worker_port: int
    settings: dict[str, str]
    processes: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)
    crowned: bool = False

    @property
    def board(self) -> str:
        """The board's own origin: nothing else may be asked for by a browser."""
        return f"http://{HOST}:{self.board_port}"

    @property
    def api(self) -> str:
        """Where the API is."""
        return f"http://{HOST}:{self.api_port}"

    def start(self, *roles: str) -> None:
        """Start roles (worker, api, dashboard) and wait until each says that it lives."""
        for role in roles:
            self.processes[role] = self._spawn(role)
        for role in roles:
            self.background.run(until(lambda role=role: self._lives(role)))  # type: ignore[misc]

    def stop(self, role: str, number: signal.Signals = signal.SIGTERM) -> None:
        """End one, and wait."""
        process = self.processes.pop(role)
        process.send_signal(number)
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()

    def end(self) -> None:
        """End everything."""
        self.background.run(self.traffic.cease())
        for role in reversed(list(self.processes)):
            self.stop(role)
        self.background.run(self.proxy.cut())

    def crown(self) -> None:
        """There is a champion: in the registry, or where there is none, on this machine as after a first fetch. Idempotent."""
        if self.crowned:
            return
        self.crowned = True
        if self.settings["TRIPCAST_MLFLOW"] == NOBODY:
            crown_locally(Path(self.settings["TRIPCAST_DATA"]) / "models")
        else:
            crown(self.settings["TRIPCAST_MLFLOW"], self.settings["TRIPCAST_MODEL"], self.world.folder)

    def cut(self) -> None:
        """The database is gone for all processes."""
        self.background.run(self.proxy.cut())

    def heal(self) -> None:
        """It is back."""
        self.background.run(self.proxy.heal())

    def flow(self) -> None:
        """Trips come in."""
        self.background.run(self.traffic.flow())

    def cease(self) -> None:
        """No trip comes any more."""
        self.background.run(self.traffic.cease())

    def publish(self, trip_id: str, **changes: object) -> None:
        """One trip that starts now."""
        self.background.run(self.traffic.one(trip_id, **changes))

    def sql(self, query: str, *arguments: object) -> list[Any]:
        """As the owner, past the proxy."""
        return list(self.background.run(self.world.rows(query, *arguments)))

    def send(self, value: bytes) -> None:
        """A record as it is."""
        self.background.run(self.world.send(b"key", value))

    def ask(self, path: str, body: str | None = None) -> httpx.Response:
        """The API itself, past the board; `body`: JSON to post."""
        with httpx.Client(base_url=self.api, timeout=10, trust_env=False) as client:
            if body is None:
                return client.get(path)
            return client.post(path, content=body, headers={"Content-Type": "application/json"})

    async def _lives(self, role: str) -> bool:
        process = self.processes[role]
        assert process.poll() is None, f"{role} ended with {process.returncode}:\n{self.log(role)[-3000:]}"
        return http_ok(f"http://{HOST}:{self._port(role)}/livez")

    def log(self, role: str) -> str:
        """What a role has logged."""
        return self._log_path(role).read_text(errors="replace")

    def _port(self, role: str) -> int:
        return {"worker": self.worker_port, "api": self.api_port, "dashboard": self.board_port}[role]

    def _log_path(self, role: str) -> Path:
        return self.world.folder / f"{role}.log"

    def _spawn(self, role: str) -> "subprocess.Popen[bytes]":
        database = {"worker": self.logins.worker, "api": self.logins.api}.get(role, "")
        environment = {**os.environ, **self.settings, "TRIPCAST_DATABASE": database}
        with self._log_path(role).open("ab") as output:
            return subprocess.Popen(
                [sys.executable, "-P", "-m", "cli", role],
                cwd=REPOSITORY,
                env=environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )


def new_system(background: Background, world: World, logins: Logins, mlflow: str = NOBODY) -> System:
    """Nothing is started yet, and the proxy is closed."""
    proxy_port, api, board, worker = free_ports(4)
    inside = logins.through(proxy_port)
    settings = {
        "KAFKA": world.kafka,
        "TOPIC_PREFIX": world.prefix,
        "MLFLOW": mlflow,
        "MODEL": f"{world.prefix}model",
        "DATA": str(world.folder / "data"),
        "BOARD_DATABASE": inside.board,
        "WORKER_PORT": str(worker),
        "API_PORT": str(api),
        "BOARD_PORT": str(board),
        "API": f"http://{HOST}:{api}",
        "API_WORKERS": f"http://{HOST}:{worker}",
        "API_BOARD": f"http://{HOST}:{board}",
        "LOG_FORMAT": "json",
    }
    return System(
        background,
        world,
        inside,
        Proxy(proxy_port, logins.port),
        Traffic(world.kafka, world.prefix),
        api,
        board,
        worker,
        {f"TRIPCAST_{name}": value for name, value in settings.items()},
    )


def crown(mlflow: str, model: str, folder: Path) -> None:
    """Version 1 of the model, with a run of its own, as a training would leave it."""
    pickup_at = random_trips(2).pickup_at
    experiments, metrics = Experiments(mlflow, model, seconds=20), {"rmse_minutes": 5.0, "mae_minutes": 3.0, "r2": 0.7}
    trained_from = TrainedFrom(2, instant(pickup_at.min()), instant(pickup_at.max()), "ab" * 32)
    version = experiments.register(
        experiments.record("distance", trained_from, {}, metrics, folder), distance_package(), metrics
    )
    Registry(MlflowRest(mlflow, seconds=20), model).set_alias(Alias.CHAMPION, version)


def crown_locally(folder: Path) -> None:
    """A verified copy of version 1 in a library of local models, as its last champion."""
    schema = feature_schema(CLOCK)
    place = folder / "1"
    place.mkdir(parents=True)
    files = package.write(distance_package(), place)
    version = ModelVersion(1, "run-1", "distance", schema, datetime.now(UTC), files, {"rmse_minutes": 5.0})
    LocalModels(folder, schema).remember_champion(version)


def _at(address: str, port: int) -> str:
    parts = urlsplit(address)
    return urlunsplit(parts._replace(netloc=f"{parts.username}:{parts.password}@{HOST}:{port}"))
