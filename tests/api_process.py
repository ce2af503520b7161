"""The API as a process of its own, on a verified copy of a model, without registry and broker."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import httpx

from adapters.onnx import package as files
from adapters.onnx.local_models import LocalModels
from cli.embedded.ports import HOST, free_ports
from domain.entities.models import ModelVersion
from tests.fakes.models import distance_package
from tests.running import DEADLINE_SECONDS, REPOSITORY, until
from tests.serving import TRIP

NOWHERE = "127.0.0.1:9"


@dataclass
class ApiProcess:
    """`tripcast api`, and what it has answered to `load`."""

    process: subprocess.Popen[bytes]
    address: str
    database: str
    log: Path
    answered: list[str] = field(default_factory=list)

    async def get(self, path: str) -> tuple[int, dict[str, Any]]:
        """Status and document; status 0 where nothing answers."""
        try:
            async with httpx.AsyncClient(timeout=10) as client:
                answer = await client.get(self.address + path)
            return answer.status_code, json.loads(answer.content)
        except httpx.TransportError:
            return 0, {}

    async def ready(self, wanted: int = 200, deadline: float = DEADLINE_SECONDS) -> None:
        async def holds() -> bool:
            assert self.process.poll() is None, self.log.read_text()
            return (await self.get("/readyz"))[0] == wanted

        await until(holds, deadline)

    async def load(self, connections: int = 8) -> None:
        """Ask on so many connections until the process answers no longer."""

        async def ask(client: httpx.AsyncClient) -> None:
            while True:
                try:
                    answer = await client.post(f"{self.address}/predict", json=TRIP)
                except httpx.TransportError:
                    return
                assert answer.status_code in {200, 503}, answer.text  # 503: this machine is too busy to answer in time
                if answer.status_code == 200:
                    self.answered.append(answer.json()["prediction_id"])

        limits = httpx.Limits(max_connections=connections)
        async with httpx.AsyncClient(timeout=10, limits=limits) as client:
            await asyncio.gather(*(ask(client) for _ in range(connections)))

    async def ended(self) -> int:
        return await asyncio.to_thread(self.process.wait, DEADLINE_SECONDS)

    async def stored(self) -> set[str]:
        connection = await asyncpg.connect(self.database)
        try:
            return {str(row[0]) for row in await connection.fetch("select prediction_id from served_predictions")}
        finally:
            await connection.close()


@asynccontextmanager
async def api_process(database: str, folder: Path, way: str | None = None, **settings: str) -> AsyncIterator[ApiProcess]:
    """Start it, wait until it is ready, end it. `way`: the address by which it reaches the database."""
    api = start(database, folder, way, **settings)
    try:
        await api.ready()
        yield api
    finally:
        if api.process.poll() is None:
            api.process.send_signal(signal.SIGKILL)
            api.process.wait()


def start(database: str, folder: Path, way: str | None = None, **settings: str) -> ApiProcess:
    """The process, not waited for."""
    (port,), log = free_ports(1), folder / "api.log"
    put_model(folder / "data" / "models")
    environment = {
        "TRIPCAST_DATABASE": way or database,
        "TRIPCAST_DATA": str(folder / "data"),
        "TRIPCAST_API_PORT": str(port),
        "TRIPCAST_MLFLOW": f"http://{NOWHERE}",
        "TRIPCAST_KAFKA": NOWHERE,
        "TRIPCAST_LOG_FORMAT": "json",
    }
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "api"],
            cwd=REPOSITORY,
            env={**os.environ, **environment, **settings},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    return ApiProcess(process, f"http://{HOST}:{port}", database, log)


def put_model(folder: Path) -> None:
    """What an earlier run with the registry has left."""
    package = distance_package()
    place = folder / "1"
    place.mkdir(parents=True, exist_ok=True)
    version = ModelVersion(1, "run-1", package.kind, package.feature_schema, datetime.now(UTC), files.write(package, place))
    LocalModels(folder, package.feature_schema).remember_champion(version)
