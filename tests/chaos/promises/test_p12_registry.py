"""Promise 12: MLflow down has no effect on scoring: worker and API go on, and start, with the verified copy, and say so."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from cli.embedded.mlflow import EmbeddedMlflow
from cli.embedded.ports import HOST, free_ports
from cli.embedded.postgres import MLFLOW, EmbeddedPostgres
from tests.chaos.conftest import verdict
from tests.chaos.journal import Journal
from tests.chaos.load import DRAIN_SECONDS, in_turn, send
from tests.chaos.registered import Registered
from tests.chaos.report import Report
from tests.chaos.servers import Server
from tests.fakes.models import distance_package
from tests.running import Worker, World, stop, until
from tests.serving import TRIP

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
RATE = 500.0
TOGETHER = 200  # trips


@dataclass
class Roles:
    """A worker and an API on the same registry, each with its copies."""

    world: World
    settings: dict[str, str]
    worker: Worker
    api: Worker

    @classmethod
    def start(cls, world: World, settings: dict[str, str]) -> "Roles":
        """Not waited for."""
        worker = world.start_worker("cli", "worker", **settings)
        port = free_ports(1)[0]
        api = world.start_worker("cli", "api", TRIPCAST_API_PORT=str(port), **settings)
        api.port = port
        return cls(world, settings, worker, api)

    def again(self) -> "Roles":
        """The worker as after a crash, the API as after an update."""
        self.worker.signal(signal.SIGKILL)
        self.worker.process.wait()
        stop(self.api)
        return self.start(self.world, self.settings)

    async def ready(self) -> None:
        async def both() -> bool:
            return [role.health("readyz")[0] for role in (self.worker, self.api)] == [200, 200]

        await until(both)

    async def scores(self) -> None:
        """Return when rows have come from this very worker, and the API has answered."""

        async def does() -> bool:
            return self.worker.metric("tripcast_trips_scored_total") > 0

        await until(does)
        answer = await self.asked("/predict", json=TRIP)
        assert answer["model"]["version"] == 1

    async def asked(self, path: str, **body: Any) -> dict[str, Any]:
        async with httpx.AsyncClient(base_url=f"http://{HOST}:{self.api.port}", timeout=10) as client:
            answer = await (client.post(path, **body) if body else client.get(path))
        assert answer.status_code == 200, answer.text
        document: dict[str, Any] = answer.json()
        return document

    async def say(self, *, registry_up: bool) -> None:
        """Return when health, metric and log of both tell the truth of the registry."""

        async def does() -> bool:
            told = [role.metric("tripcast_registry_up") for role in (self.worker, self.api)]
            degraded = ["registry" in role.health("readyz")[1].get("degraded", {}) for role in (self.worker, self.api)]
            return told == [registry_up] * 2 and degraded == [not registry_up] * 2

        await until(does, 30)
        for role in (self.worker, self.api):
            assert role.events("registry")[-1]["up"] is registry_up


@pytest.fixture
def mlflow(postgres_server: EmbeddedPostgres, tmp_path: Path) -> EmbeddedMlflow:
    store = postgres_server.address(MLFLOW, MLFLOW)
    return EmbeddedMlflow(tmp_path / "mlflow", tmp_path / "mlflow.log", free_ports(1)[0], store)


@pytest.fixture
def server(mlflow: EmbeddedMlflow) -> Iterator[Server]:
    server = Server(mlflow)
    yield server
    server.stop()


@asynccontextmanager
async def loaded(world: World, journal: Journal) -> AsyncIterator[None]:
    """Events without a pause while the block runs."""
    ended: list[bool] = []

    async def load(stopped: Callable[[], bool]) -> None:
        seed = 0
        while not stopped():
            await send(world.kafka, f"{world.prefix}trip-events", in_turn(TOGETHER, seed=seed), journal, RATE)
            seed += 1

    async with asyncio.TaskGroup() as group:
        group.create_task(load(lambda: bool(ended)))
        try:
            yield
        finally:
            ended.append(True)


@pytest.mark.promise(12)
async def test_without_mlflow_scoring_goes_on_and_begins_and_says_so(
    world: World, mlflow: EmbeddedMlflow, server: Server, report: Report
) -> None:
    report.fault = "MLflow killed, then frozen; worker (SIGKILL) and API (SIGTERM) restarted each time, under load"
    registered = Registered.new(mlflow.address, mlflow.folder, world.folder)
    await registered.name(world, registered.register(distance_package(150.0)))
    journal = Journal()
    async with loaded(world, journal):
        roles = Roles.start(world, registered.settings)
        await roles.ready()
        await roles.scores()
        await roles.say(registry_up=True)

        server.signal(signal.SIGKILL)
        await roles.say(registry_up=False)
        assert (await roles.asked("/model/info"))["local_copy"] is False, "it was confirmed while MLflow was there"
        report.measured["restart_mlflow_down_s"] = await _restarts(roles := roles.again())

        await asyncio.to_thread(server.start)
        began = time.monotonic()
        await roles.say(registry_up=True)
        report.recovery_s = round(time.monotonic() - began, 1)
        assert (await roles.asked("/model/info"))["local_copy"] is False

        server.signal(signal.SIGSTOP)
        report.measured["restart_mlflow_frozen_s"] = await _restarts(roles := roles.again())
        server.signal(signal.SIGCONT)
        await roles.say(registry_up=True)
    await world.drained(DRAIN_SECONDS)
    result = await registered.verify(world)
    assert (result.different, result.unverifiable_rows, result.ok) == (0, 0, True)
    assert result.checked_by_source == {"stream": len(journal.sent) // 2, "api": 3}
    report.judged(await verdict(world, journal), journal)


async def _restarts(roles: Roles) -> float:
    """Seconds from the start until both score; with words about where the model comes from."""
    began = time.monotonic()
    await roles.ready()
    await roles.scores()
    took = round(time.monotonic() - began, 1)
    await roles.say(registry_up=False)
    for role in (roles.worker, roles.api):
        assert role.events("registry")[0]["local_copy"] is True
    assert "verified copy" in roles.worker.health("readyz")[1]["degraded"]["registry"]
    assert (await roles.asked("/model/info"))["local_copy"] is True
    return took
