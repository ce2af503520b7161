"""The whole system of a soak: servers that can be killed, two workers behind a network that fails, API, board, trainer."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from cli.embedded.bootstrap import embedded_kafka, embedded_postgres
from cli.embedded.mlflow import EmbeddedMlflow
from cli.embedded.ports import HOST, free_ports
from cli.embedded.postgres import API, MLFLOW, OWNER, WORKER, EmbeddedPostgres
from cli.embedded.secrets import Secrets
from domain.entities.models import Alias
from tests.chaos.registered import Registered
from tests.chaos.servers import Server
from tests.fakes.models import distance_package
from tests.proxy import Proxy
from tests.running import Worker, World, stop, until

PARTITIONS = 6


@dataclass
class System:
    """Where everything is, and what runs by which name."""

    world: World
    kafka: Server
    postgres: Server
    mlflow: Server
    network: Proxy
    settings: dict[str, dict[str, str]]
    roles: dict[str, Worker] = field(default_factory=dict)

    def start(self, name: str) -> None:
        """A role by its name, a worker's with its number; also again."""
        role = name.partition("-")[0]
        self.roles[name] = self.world.start_worker("cli", role, **self.settings[name])
        if role != "worker":
            self.roles[name].port = int(next(value for key, value in self.settings[name].items() if key.endswith("_PORT")))

    def kill(self, name: str) -> None:
        """At once."""
        self.roles[name].signal(signal.SIGKILL)
        self.roles[name].process.wait()

    async def ready(self) -> None:
        """Return when every role that says so is ready."""

        async def all_are() -> bool:
            asked = [role.health("readyz")[0] for name, role in self.roles.items() if name != "dashboard"]
            return set(asked) == {200}

        await until(all_are, 120)


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[System]:
    """Everything, on a fresh folder; nothing of it is left afterwards."""
    ports = free_ports(9)
    kafka = embedded_kafka(folder / "kafka", folder / "kafka.log", ports[0], ports[1])
    postgres = embedded_postgres(folder / "postgres", folder / "postgres.log", ports[2], Secrets(folder / "secrets.env"))
    servers: list[Server] = []
    network = Proxy(ports[3], ports[2])
    started: list[Worker] = []
    try:
        servers.append(await asyncio.to_thread(Server, postgres))
        servers.append(await asyncio.to_thread(Server, kafka))
        mlflow = EmbeddedMlflow(folder / "mlflow", folder / "mlflow.log", ports[4], postgres.address(MLFLOW, MLFLOW))
        servers.append(await asyncio.to_thread(Server, mlflow))
        await network.heal()
        world = World(kafka.address, postgres.address(OWNER, OWNER), "", folder, started)
        settings = {"TRIPCAST_PARTITIONS": str(PARTITIONS), "TRIPCAST_MLFLOW": mlflow.address}
        await _migrate(world, settings)
        model = await asyncio.to_thread(_champion, mlflow)
        settings |= model
        system = System(world, servers[1], servers[0], servers[2], network, _roles(settings, postgres, ports))
        for name in system.settings:
            system.start(name)
        await system.ready()
        yield system
    finally:
        for role in reversed(started):
            await asyncio.to_thread(stop, role)
        await network.cut()
        for server in reversed(servers):
            await asyncio.to_thread(server.stop)


def _roles(settings: dict[str, str], postgres: EmbeddedPostgres, ports: list[int]) -> dict[str, dict[str, str]]:
    """The workers reach the database through the network that fails."""
    worker = urlsplit(postgres.address(WORKER, OWNER))
    through = worker._replace(netloc=worker.netloc.replace(f":{worker.port}", f":{ports[3]}")).geturl()
    workers = settings | {"TRIPCAST_DATABASE": through}
    api = settings | {"TRIPCAST_DATABASE": postgres.address(API, OWNER), "TRIPCAST_API_PORT": str(ports[5])}
    board = settings | {"TRIPCAST_API": f"http://{HOST}:{ports[5]}", "TRIPCAST_BOARD_PORT": str(ports[6])}
    trainer = settings | {"TRIPCAST_TRAINER_PORT": str(ports[7])}
    return {"worker-1": workers, "worker-2": dict(workers), "api": api, "dashboard": board, "trainer": trainer}


async def _migrate(world: World, settings: dict[str, str]) -> None:
    migration = world.start_worker("cli", "migrate", **settings)
    code = await migration.ended()
    if code:
        raise RuntimeError(f"the migration ended with {code}: {migration.log.read_text()[-2000:]}")


def _champion(mlflow: EmbeddedMlflow) -> dict[str, str]:
    registered = Registered.new(mlflow.address, mlflow.folder, mlflow.folder)
    registered.registry.set_alias(Alias.CHAMPION, registered.register(distance_package(180.0)))
    return registered.settings
