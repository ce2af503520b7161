"""Promise 13: health tells the truth: of every fault within 5 s, of its end within 5 s, and nobody is called dead who lives."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from cli.embedded.ports import HOST, free_ports
from tests import api_process
from tests.browser.system import crown
from tests.chaos.journal import Journal
from tests.chaos.load import in_turn, send
from tests.chaos.own_parts import OwnServer, by_way_of, own_kafka, port_of
from tests.chaos.report import Report
from tests.proxy import Proxy
from tests.running import Worker, World, until, world_of

pytestmark = [pytest.mark.chaos, pytest.mark.timeout(300)]
PROMISED_SECONDS = 5.0
HANGS_SECONDS = 2.0  # without an answer
Answer = tuple[int, dict[str, Any]]


@dataclass(slots=True)
class Roles:
    """Everything that runs, and what it says of itself."""

    addresses: dict[str, str]
    client: httpx.AsyncClient
    dead: list[str] = field(default_factory=list)  # answers of /livez that were not 200
    frozen: set[str] = field(default_factory=set)

    async def asked(self, role: str, path: str) -> Answer:
        """Status and document; 0 where nothing answers in time."""
        try:
            answer = await self.client.get(f"{self.addresses[role]}/{path}")
        except httpx.TransportError:
            return 0, {}
        return answer.status_code, answer.json()

    async def watch(self) -> None:
        """Note whoever is not alive, until cancelled."""
        while True:
            for role in self.addresses:
                status, document = await self.asked(role, "livez")
                if status != 200 and role not in self.frozen:
                    self.dead.append(f"{role}: {status} {document}")
            await asyncio.sleep(0.2)

    async def all_say(self, roles: tuple[str, ...], holds: Callable[[Answer], bool]) -> float:
        """Seconds until each of these says so on /readyz."""
        began = time.monotonic()

        async def said(role: str) -> None:
            async def now() -> bool:
                return holds(await self.asked(role, "readyz"))

            await until(now)

        await asyncio.gather(*map(said, roles))
        return time.monotonic() - began


@dataclass(slots=True)
class System:
    """What the faults are done to."""

    roles: Roles
    database: Proxy
    mlflow: Proxy
    broker: OwnServer
    worker: Worker
    report: Report

    async def tried(
        self,
        fault: str,
        begin: Callable[[], Awaitable[object]],
        end: Callable[[], Awaitable[object]],
        *,
        missing: tuple[str, ...] = (),
        degraded: tuple[str, ...] = (),
        part: str = "",
    ) -> None:
        """`missing` must say 503, `degraded` 200 naming `part`; then all must be well again."""
        await begin()
        noticed = await asyncio.gather(
            self.roles.all_say(missing, lambda answer: answer[0] == 503),
            self.roles.all_say(degraded, lambda answer: answer[0] == 200 and part in answer[1].get("degraded", {})),
        )
        await end()
        began = time.monotonic()
        await self.roles.all_say((*missing, *degraded), lambda answer: answer[0] == 200 and not answer[1].get("degraded"))
        healed = time.monotonic() - began
        self.report.measured[fault] = {"noticed_s": round(max(noticed), 1), "healed_s": round(healed, 1)}
        self.report.recovery_s = max(self.report.recovery_s or 0.0, round(healed, 1))
        if self.report.full:
            assert max(noticed) <= PROMISED_SECONDS, f"{fault}: noticed after {max(noticed):.1f} s"
            assert healed <= PROMISED_SECONDS, f"{fault}: healed after {healed:.1f} s"


@pytest.mark.promise(13)
async def test_every_fault_and_its_end_are_told_in_time(
    database: str, mlflow_address: str, tmp_path: Path, report: Report
) -> None:
    report.fault = (
        "database cut, black hole, broker killed, worker frozen, MLflow cut: worker, API and trainer asked for health"
    )
    everybody = ("worker", "api", "trainer")
    async with _system(database, mlflow_address, tmp_path, report) as system:
        way, registry, broker = system.database, system.mlflow, system.broker
        await system.tried("database cut", way.cut, way.heal, missing=everybody)
        await system.tried("black hole", way.swallow, way.heal, missing=everybody)
        await system.tried("broker", broker.kill, broker.start, missing=("worker",), degraded=("api",), part="broker")
        await system.tried("MLflow", registry.cut, registry.heal, degraded=("worker", "api"), part="registry")
        await system.tried("worker frozen", _freezing(system), _thawing(system), degraded=("api",), part="worker")
        await _hangs(system)
        assert await _progress(system.roles) > 0
    assert system.roles.dead == []


def _freezing(system: System) -> Callable[[], Awaitable[None]]:
    async def freeze() -> None:
        system.roles.frozen.add("worker")
        system.worker.signal(signal.SIGSTOP)

    return freeze


def _thawing(system: System) -> Callable[[], Awaitable[None]]:
    async def thaw() -> None:
        system.worker.signal(signal.SIGCONT)
        await until(lambda: _answers(system.roles))
        system.roles.frozen.clear()

    return thaw


async def _hangs(system: System) -> None:
    """Truly hung is told by silence: no answer of /livez."""
    await _freezing(system)()
    assert (await system.roles.asked("worker", "livez"))[0] == 0
    await _thawing(system)()


async def _answers(roles: Roles) -> bool:
    return (await roles.asked("worker", "livez"))[0] == 200


async def _progress(roles: Roles) -> int:
    """Offsets that the worker tells of, of all partitions."""
    _, document = await roles.asked("worker", "livez")
    for told in document["partitions"].values():
        assert told.keys() == {"next_offset", "lag", "still_seconds"}
    return sum(told["next_offset"] for told in document["partitions"].values())


@asynccontextmanager
async def _system(database: str, mlflow_address: str, folder: Path, report: Report) -> AsyncIterator[System]:
    ports = free_ports(4)
    way, registry = Proxy(ports[0], port_of(database)), Proxy(ports[1], urlsplit(mlflow_address).port or 0)
    await asyncio.gather(way.heal(), registry.heal())
    await asyncio.to_thread(crown, mlflow_address, f"{folder.name}-model", folder)
    settings = {
        "TRIPCAST_DATABASE": by_way_of(way.port, database),
        "TRIPCAST_MLFLOW": f"http://{HOST}:{registry.port}",
        "TRIPCAST_MODEL": f"{folder.name}-model",
        "TRIPCAST_TOPIC_PREFIX": "health-",
        "TRIPCAST_TRAINER_PORT": str(ports[2]),
    }
    try:
        async with (
            own_kafka(folder) as broker,
            world_of(broker.address, database, "health-", folder) as world,
            _roles(world, settings, ports[2]) as (roles, worker),
        ):
            await send(broker.address, "health-trip-events", in_turn(500, seed=13), Journal(), 1_000)
            yield System(roles, way, registry, broker, worker, report)
    finally:
        await asyncio.gather(way.cut(), registry.cut())


@asynccontextmanager
async def _roles(world: World, settings: dict[str, str], trainer_port: int) -> AsyncIterator[tuple[Roles, Worker]]:
    worker = world.start_worker("cli", "worker", **settings)
    world.start_worker("cli", "trainer", **settings)
    more = {"TRIPCAST_KAFKA": world.kafka, "TRIPCAST_API_WORKERS": f"http://{HOST}:{worker.port}"}
    (world.folder / "api").mkdir()
    async with (
        api_process.api_process(world.database, world.folder / "api", **settings, **more) as api,
        httpx.AsyncClient(timeout=HANGS_SECONDS) as client,
    ):
        addresses = {"worker": f"http://{HOST}:{worker.port}", "api": api.address, "trainer": f"http://{HOST}:{trainer_port}"}
        roles = Roles(addresses, client)
        await roles.all_say(tuple(addresses), lambda answer: answer[0] == 200 and not answer[1].get("degraded"))
        watching = asyncio.create_task(roles.watch())
        try:
            yield roles, worker
        finally:
            watching.cancel()
