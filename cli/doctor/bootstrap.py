"""What the systems say: the only module of the doctor that reaches for them."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypeVar

from adapters.kafka.broker import Broker
from adapters.kafka.probe import partition_counts, reach
from adapters.kafka.topics import end_offsets, topic_source
from adapters.mlflow.registry import Registry
from adapters.mlflow.rest import MlflowRest
from adapters.onnx.local_models import LocalModels
from adapters.postgres.admin.migrate import check_schema
from adapters.postgres.connection.pool import Pool, address_of, open_pool
from adapters.postgres.connection.security import is_local, protection_of
from adapters.postgres.stream.store import Streams
from cli.doctor import machine
from cli.doctor.findings import Finding, Step, Verdict, note, well, wrong
from cli.embedded.mlflow import http_ok
from cli.embedded.ports import HOST
from cli.settings import StackSettings
from cli.stack.folder import DataFolder
from cli.stack.once import behind
from domain.entities.models import Alias
from domain.errors import ModelRefused, RegistryUnreachable
from domain.features import feature_schema
from schemas.topics import TOPICS, TRIP_EVENTS

T = TypeVar("T")
LARGE_LAG = 10_000
LOOPBACK = ("127.0.0.1:", "[::1]:", "localhost:")
TLS_VERSION = "select version from pg_stat_ssl where pid = pg_backend_pid() and ssl"
START = "is it running? `make run` starts a local one; TRIPCAST_{} points to yours"


def steps(settings: StackSettings, folder: DataFolder) -> list[Step]:
    """All checks, in the order in which one would look."""
    systems = _Systems(settings)
    migrate = "run `tripcast migrate`"
    return [
        Step("Python", machine.python, ""),
        Step("Java", machine.java, "install Java 17 or newer, or use your own Kafka"),
        Step("disk", lambda: machine.disk(folder.path), ""),
        Step("settings", machine.names, ""),
        Step("secrets", machine.secrets, ""),
        Step("local stack", lambda: machine.stack(folder), ""),
        Step("Kafka", systems.kafka, START.format("KAFKA")),
        Step("topics", systems.topics, migrate, ("Kafka",)),
        Step("PostgreSQL", systems.postgres, START.format("DATABASE")),
        Step("migrations", systems.migrations, migrate, ("PostgreSQL",)),
        Step("MLflow", systems.mlflow, START.format("MLFLOW")),
        Step("champion", systems.champion, "`tripcast train` makes one", ("MLflow",)),
        Step("local copy", systems.local_copy, "remove its folder: the worker fetches it again", ("champion",)),
        Step("worker", systems.worker, "see its log"),
        Step("trainer", systems.trainer, "see its log"),
        Step("canary", systems.canary, "see its log"),
        Step("API", systems.api, "see its log"),
        Step("board", systems.board, "see its log"),
        Step("lag", systems.lag, "see the worker's log", ("topics", "migrations")),
    ]


class _Systems:
    def __init__(self, settings: StackSettings) -> None:
        self._settings = settings
        self._registry = Registry(MlflowRest(settings.mlflow, settings.mlflow_seconds), settings.model)

    def kafka(self) -> Finding:
        """A metadata request is answered."""
        broker = Broker.of(self._settings)
        asyncio.run(reach(broker, seconds=5.0))
        protection = "encrypted, certificate and name checked" if broker.encrypted else "not encrypted"
        found = f"{broker} answers; {broker.security}: {protection}"
        if broker.encrypted or all(server.startswith(LOOPBACK) for server in broker.servers.split(",")):
            return well("Kafka", found)
        return note("Kafka", found, "TRIPCAST_KAFKA_SECURITY=SASL_SSL keeps others on the network out; see docs/connections.md")

    def topics(self) -> Finding:
        """All topics are there, with as many partitions as the settings say."""
        wanted = {
            f"{self._settings.topic_prefix}{topic.name}": topic.partitions or self._settings.partitions for topic in TOPICS
        }
        found = asyncio.run(partition_counts(Broker.of(self._settings), list(wanted)))
        missing = [name for name in wanted if not found.get(name)]
        if missing:
            return wrong("topics", f"missing: {', '.join(missing)}", "run `tripcast migrate`")
        other = [f"{name} has {found[name]}, not {count}" for name, count in wanted.items() if found[name] != count]
        if other:
            return wrong(
                "topics", "; ".join(other), "set TRIPCAST_PARTITIONS to what is there, or add partitions while all is drained"
            )
        return well("topics", f"{len(wanted)} topics; {TRIP_EVENTS.name} has {self._settings.partitions} partitions")

    def postgres(self) -> Finding:
        """The login works. Raises DatabaseUnreachable."""

        async def versions(pool: Pool) -> tuple[str, str | None]:
            return str(await pool.fetchval("show server_version")), await pool.fetchval(TLS_VERSION)

        dsn = self._settings.dsn()
        version, tls = self._with_pool(versions)
        protection, safe = protection_of(dsn, tls)
        found = f"{address_of(dsn)} answers, version {version}; {protection}"
        if safe or is_local(dsn):
            return well("PostgreSQL", found)
        return note("PostgreSQL", found, "add sslmode=verify-full&sslrootcert=FILE to the address; see docs/connections.md")

    def migrations(self) -> Finding:
        """The schema is this program's. Raises SchemaMismatch."""
        self._with_pool(check_schema)
        return well("migrations", "the database has this program's schema")

    def mlflow(self) -> Finding:
        """The server is healthy."""
        if not http_ok(f"{self._settings.mlflow_place}/health", seconds=self._settings.mlflow_seconds):
            raise RegistryUnreachable(f"MLflow at {self._settings.mlflow_place} does not answer")
        return well("MLflow", f"{self._settings.mlflow_place} answers")

    def champion(self) -> Finding:
        """Some version is champion. Raises RegistryUnreachable."""
        version = self._registry.resolve(Alias.CHAMPION)
        if version is None:
            advice = "wait for the trainer, or run `tripcast load FILE` and `tripcast train`"
            return wrong("champion", f"no version of {self._settings.model} is champion", advice)
        return well("champion", f"version {version.version} of {self._settings.model}")

    def local_copy(self) -> Finding:
        """What the worker would score with if the registry went away. Raises ModelRefused."""
        schema = feature_schema(self._settings.clock())
        library = LocalModels(self._settings.data / "models", schema)
        version = library.last_champion()
        if version is None:
            return note("local copy", "none yet", "the worker makes one when it starts")
        library.admit(version, _never_fetch)
        return well("local copy", f"version {version.version}: sizes, hashes and recorded answers agree")

    def worker(self) -> Finding:
        """Alive and ready by its own word."""
        return served("worker", f"http://{HOST}:{self._settings.worker_port or 8081}", "worker")

    def trainer(self) -> Finding:
        """The same; without one nobody trains."""
        address = f"http://{HOST}:{self._settings.trainer_port or 8082}"
        none = none_started("trainer", address, "trainer", self._settings.trainer_port)
        return none or served("trainer", address, "trainer")

    def canary(self) -> Finding:
        """The same: ready means that its last trip got through."""
        address = f"http://{HOST}:{self._settings.canary_port or 8083}"
        none = none_started("canary", address, "canary", self._settings.canary_port)
        return none or served("canary", address, "canary")

    def api(self) -> Finding:
        """The same; a system without an API is whole."""
        address = f"http://{HOST}:{self._settings.api_port or 8000}"
        return none_started("API", address, "api", self._settings.api_port) or served("API", address, "api")

    def board(self) -> Finding:
        """Alive; whether it has something to show is the API's matter."""
        address = f"http://{HOST}:{self._settings.board_port or 8050}"
        return none_started("board", address, "dashboard", self._settings.board_port) or alive("board", address, "dashboard")

    def lag(self) -> Finding:
        """Events that wait, computed without the worker."""
        behind = asyncio.run(self._behind())
        if behind > LARGE_LAG:
            return note("lag", f"{behind:,} events wait", "normal after a pause; if it does not shrink, see the worker's log")
        return well("lag", f"{behind:,} events wait")

    async def _behind(self) -> int:
        topic = f"{self._settings.topic_prefix}{TRIP_EVENTS.name}"
        ends = await end_offsets(Broker.of(self._settings), topic)
        source = await topic_source(Broker.of(self._settings), topic)
        pool = await open_pool(self._settings, "tripcast-doctor")
        try:
            streams = Streams(pool)
            positions = await streams.positions(await streams.register(source), list(ends))
        finally:
            await pool.close()
        return behind(positions, ends)

    def _with_pool(self, ask: Callable[[Pool], Coroutine[Any, Any, T]]) -> T:
        async def run() -> T:
            pool = await open_pool(self._settings, "tripcast-doctor")
            try:
                return await ask(pool)
            finally:
                await pool.close()

        return asyncio.run(run())


def none_started(name: str, address: str, command: str, port: int | None) -> Finding | None:
    """What there is to say where nobody has said that there should be one; None when there is one."""
    if port is not None or http_ok(f"{address}/livez"):
        return None
    return note(name, f"none was started, and none answers at {address}", f"`tripcast {command}` starts one")


def alive(name: str, address: str, command: str) -> Finding:
    """Whether a role lives by its own word."""
    if http_ok(f"{address}/livez"):
        return well(name, f"{address} lives")
    return wrong(name, f"{address}/livez does not say that it lives", f"start it (`tripcast {command}`), or see its log")


def served(name: str, address: str, command: str) -> Finding:
    """Whether it is ready, too."""
    lives = alive(name, address, command)
    if lives.verdict is Verdict.WRONG:
        return lives
    if not http_ok(f"{address}/readyz"):
        lacks = ", ".join(f"{what} ({why})" for what, why in missing_of(address).items())
        return wrong(name, f"{address} lives but lacks: {lacks}", "repair what it lacks: it goes on by itself")
    return well(name, f"{address} lives and is ready")


def missing_of(address: str) -> dict[str, str]:
    """What a role says that it lacks; empty when it does not say."""
    try:
        with urllib.request.urlopen(f"{address}/readyz", timeout=2.0) as answer:  # noqa: S310 - our own http address
            return _missing(json.load(answer))
    except urllib.error.HTTPError as refusal:  # 503 carries the reasons
        with refusal:
            return _missing(json.load(refusal))
    except (OSError, ValueError):
        return {}


def _missing(answer: Mapping[str, Any]) -> dict[str, str]:
    """A worker tells it by name; the API as a problem, whose errors say it one by one."""
    errors = {error["pointer"]: error["detail"] for error in answer.get("errors", ())}
    return {**errors, **answer.get("missing", {})} or {"service": str(answer.get("detail", "no reason given"))}


def _never_fetch(*_: object) -> None:
    raise ModelRefused("the copy on this machine is missing or fails a check")
