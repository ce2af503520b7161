"""Put the API together: with `reads_bootstrap` the only place of `api` that names adapters."""

import asyncio
import gc
import socket
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version

import structlog
import uvicorn
from fastapi import FastAPI

from adapters.health.bounded_http import BoundedHttp
from adapters.health.process import register_process
from adapters.health.state import State, register_state
from adapters.health.uvicorn_server import Server
from adapters.mlflow.registry import Registry
from adapters.mlflow.rest import MlflowRest
from adapters.onnx.local_models import LocalModels
from adapters.postgres.admin.migrate import check_schema_on
from adapters.postgres.api.keys import ValidKeys
from adapters.postgres.api.served_predictions import ServedRows
from adapters.postgres.connection.line import Line
from api.app import Serve, create_application
from api.auth import KeyRing
from api.checks import Checks
from api.follower import Follower
from api.front import Caps
from api.limits import Limits
from api.log_queue import LogQueue
from api.metrics import Metrics
from api.ports import ReadKeys, ServedStore
from api.predict import BATCH_THREADS, Predictor, Scoring, Serving
from api.reads_bootstrap import create_reads, read_routers, run_url_of
from api.settings import ApiSettings
from api.tasks import Misfit, follow_keys, look_at_schema, pulse
from domain.errors import PortInUse, SchemaMismatch, TripcastError
from domain.features import feature_schema
from domain.services.follow_champion import FollowChampion

log = structlog.get_logger("tripcast.api")

SWITCH_SECONDS = 0.001  # a batch is scored in a thread: the loop must not wait 5 ms for each of its steps
LINE_SECONDS = 2.0  # for one statement of ours: health must tell of a black hole within 5 s
REGISTRY_SECONDS = 2.5  # likewise
POLL_SECONDS = 2.0
FINISH_SECONDS = 5  # for requests that are being answered when we are told to stop
FLUSH_SECONDS = 3.0  # and then for what is not logged yet


@dataclass(frozen=True, slots=True)
class World:
    """What the API asks of the outside; tests bring their own."""

    champion: Serving
    served: ServedStore
    keys: ReadKeys


def run(settings: ApiSettings) -> None:
    """Serve until SIGTERM or SIGINT. Raises PortInUse, and SchemaMismatch once the database has said so."""
    sys.setswitchinterval(SWITCH_SECONDS)
    listener = _listener(settings)
    misfits: list[SchemaMismatch] = []

    def stop(misfit: SchemaMismatch) -> None:
        misfits.append(misfit)
        server.should_exit = True

    server = Server(_configured(create_app(settings, stop)))
    gc.collect()
    gc.freeze()  # looking through all modules and routes again would stop the loop for 40 ms
    server.run(sockets=[listener])
    if misfits:
        raise misfits[0]


def create_app(settings: ApiSettings, misfit: Misfit = lambda _: None) -> FastAPI:
    """The application, with nothing opened yet. Raises InvalidInput for a policy that cannot be used.

    `misfit` is called when the database turns out to have another program's schema.
    """
    core = Core(settings, outside(settings))
    reads = create_reads(settings, core.serve.checks, core.serve.metrics)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        looking = asyncio.create_task(look_at_schema(lambda: _fits(settings), misfit))
        async with core.opened(), reads.opened():
            log.info("api_started", host=settings.api_host, port=settings.api_port, keys=not settings.open_to_all)
            yield
        await _ended([looking])
        log.info("api_stopped")

    return create_application(core.serve, read_routers(reads), lifespan)


async def _fits(settings: ApiSettings) -> None:
    """Raises SchemaMismatch, DatabaseUnreachable."""
    line = Line(settings, "tripcast-api-schema", LINE_SECONDS)
    try:
        async with line.connected() as connection:
            await check_schema_on(connection)
    finally:
        line.close()


class Core:
    """Everything but the reading routes."""

    def __init__(self, settings: ApiSettings, world: World) -> None:
        metrics, checks = Metrics(), Checks()
        register_process(metrics.registry)
        register_state(metrics.registry, State(lambda: not checks.missing(), parts=checks.parts))
        scoring = Scoring(world.champion, settings.model, settings.rules(), settings.clock())
        self._world = world
        self._threads = ThreadPoolExecutor(BATCH_THREADS, thread_name_prefix="batch")
        self.queue = LogQueue(settings.api_log_queue, metrics, checks)
        self.serve = Serve(
            version=version("tripcast"),
            model_name=settings.model,
            keys=KeyRing(open_to_all=settings.open_to_all),
            limits=Limits(settings.api_rate),
            caps=Caps(settings.api_body_bytes, settings.api_deadline_seconds, settings.api_concurrency),
            metrics=metrics,
            checks=checks,
            follower=Follower(world.champion, metrics, checks, POLL_SECONDS),
            predictor=Predictor(scoring, self.queue, self._threads, settings.api_batch, metrics.predictions.inc),
            run_url=run_url_of(settings),
        )

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Needs nothing of the outside world: what is away is asked again. At the end all that can be logged is."""
        serve, world = self.serve, self._world
        beside = serve.follower.follow(), follow_keys(world.keys, serve.keys), pulse(serve.metrics)
        tasks = [asyncio.create_task(work) for work in beside]
        writing = asyncio.create_task(self.queue.run(world.served))
        try:
            yield
        finally:
            await _ended(tasks)
            await self.queue.drained(FLUSH_SECONDS)
            await _ended([writing])
            self.queue.give_up()
            world.served.close()
            world.keys.close()
            self._threads.shutdown(wait=False, cancel_futures=True)


def outside(settings: ApiSettings) -> World:
    """The registry with verified copies on this machine, and the database. Nothing is opened."""
    registry = Registry(MlflowRest(settings.mlflow, min(settings.mlflow_seconds, REGISTRY_SECONDS)), settings.model)
    library = LocalModels(settings.data / "models", feature_schema(settings.clock()))
    served = ServedRows(Line(settings, "tripcast-api-log", LINE_SECONDS))
    keys = ValidKeys(Line(settings, "tripcast-api-keys", LINE_SECONDS))
    return World(FollowChampion(registry, library), served, keys)


def _configured(app: FastAPI) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        loop="uvloop",
        http=BoundedHttp,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # an address in a header is whatever the caller wrote
        timeout_keep_alive=75,
        timeout_graceful_shutdown=FINISH_SECONDS,
    )


def _listener(settings: ApiSettings) -> socket.socket:
    """The socket, before anything else: a port that is taken must be told at once. Raises PortInUse."""
    family = socket.AF_INET6 if ":" in settings.api_host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((settings.api_host, settings.api_port))
    except OSError as error:
        listener.close()
        where = f"port {settings.api_port} on {settings.api_host}"
        raise PortInUse(f"{where} cannot be had: stop what holds it, or set TRIPCAST_API_PORT") from error
    return listener


async def _ended(tasks: list["asyncio.Task[None]"]) -> None:
    for task in tasks:
        task.cancel()
    for outcome in await asyncio.gather(*tasks, return_exceptions=True):
        if isinstance(outcome, TripcastError):
            log.error("task_failed", exc_info=outcome)
