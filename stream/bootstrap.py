"""Put the worker together: the one place of `stream` that names adapters."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from adapters.health.process import register_process, watched_loop
from adapters.health.server import Health, serving
from adapters.health.state import State, register_state
from adapters.kafka.broker import Broker
from adapters.kafka.consumer import EventConsumer
from adapters.kafka.probe import reach
from adapters.kafka.producer import RecordProducer
from adapters.kafka.publisher import Publisher
from adapters.mlflow.registry import Registry
from adapters.mlflow.rest import MlflowRest
from adapters.onnx.local_models import LocalModels
from adapters.postgres.admin.migrate import check_schema
from adapters.postgres.connection.pool import open_pool
from adapters.postgres.stream.scored_history import ScoredHistory
from adapters.postgres.stream.store import Streams
from domain.areas import AreaGrid
from domain.errors import TripcastError
from domain.features import feature_schema
from domain.services.follow_champion import FollowChampion
from domain.services.follow_shadow import FollowShadow
from schemas.topics import MODEL_LIFECYCLE, QUALITY_SIGNALS, TRIP_EVENTS, TRIP_PREDICTIONS, TRIP_QUARANTINE
from stream.app import Application, Stopping, Topics, Worker, create_application
from stream.decode import Decode, decode_event
from stream.follower import Champion, Follower, Shadow, ShadowFollower
from stream.garbage import look_seldom
from stream.health import Progress, Readiness
from stream.hot_path import Parts
from stream.ledger import Ledger
from stream.marks import Marks
from stream.metrics import Metrics
from stream.monitor_bootstrap import monitor_parts, policy_of
from stream.monitor_ports import Registered
from stream.patience import Patience
from stream.presence import Presence
from stream.registered import AskRegistry
from stream.score_events import ScoreEvents
from stream.settings import WorkerSettings
from stream.signals import Signals
from stream.tally_commits import TallyCommits
from stream.traces import Traces

if TYPE_CHECKING:
    from adapters.telemetry.spans import Spans as SpanExport

log = structlog.get_logger("tripcast.stream")

SWITCH_SECONDS = 0.001  # a batch changes threads several times: each time it would wait 5 ms for one that counts beside it

SIGNAL_SECONDS = 10.0  # a producer of their own: when Kafka refuses a signal, no prediction must wait for it
SIGNAL_KEY = b"quality"


@dataclass(frozen=True, slots=True)
class Models:
    """Who says which models score."""

    champion: Champion
    shadow: Shadow
    registered: Registered


def run(settings: WorkerSettings, *, models: Models | None = None, decode_one: Decode = decode_event) -> None:
    """Run the worker until SIGTERM or SIGINT. Raises the TripcastError that stopped it, if one did.

    `models` and `decode_one` are for tests that bring their own.
    """
    sys.setswitchinterval(SWITCH_SECONDS)
    _faust_folder(settings).mkdir(parents=True, exist_ok=True)
    application = create_worker(settings, models or follow_registry(settings), decode_one)
    worker = Worker(application, override_logging=False, redirect_stdouts=False, quiet=True, loglevel="WARNING")
    worker.spinner = None
    try:
        worker.execute_from_commandline()
    except SystemExit:
        reason = application.refusal or worker.crash_reason or application.crash_reason
        if isinstance(reason, TripcastError):
            raise reason from None
        raise


def create_worker(settings: WorkerSettings, models: Models, decode_one: Decode = decode_event) -> Application:
    """The application, with nothing opened yet."""

    def open_parts(stopping: Stopping) -> AbstractAsyncContextManager[Parts]:
        return _opened(settings, models, decode_one, stopping)

    policy_of(settings)  # a policy that cannot be used is told at once
    topics = Topics(_topic(settings, MODEL_LIFECYCLE.name), _topic(settings, QUALITY_SIGNALS.name))
    return create_application(_name(settings), Broker.of(settings), topics, _faust_folder(settings), open_parts)


def follow_registry(settings: WorkerSettings) -> Models:
    """The registry's champion and challenger, with verified copies on this machine."""
    registry = Registry(MlflowRest(settings.mlflow, settings.mlflow_seconds), settings.model)
    library = LocalModels(settings.data / "models", feature_schema(settings.clock()))
    return Models(FollowChampion(registry, library), FollowShadow(registry, library), AskRegistry(registry))


@asynccontextmanager
async def _opened(settings: WorkerSettings, models: Models, decode_one: Decode, stopping: Stopping) -> AsyncIterator[Parts]:
    """Health first; then the database and the broker, as soon as they are there."""
    metrics, readiness, progress, broker = Metrics(), Readiness(), Progress(), Broker.of(settings)
    patience = Patience(readiness)
    register_process(metrics.registry)
    register_state(metrics.registry, State(lambda: readiness.ready()[0], lambda: progress.alive()[0], readiness.parts))
    health = Health(progress.alive, readiness.ready, metrics.exposition)
    async with (
        serving(health, settings.worker_port, settings.worker_host, "TRIPCAST_WORKER_PORT"),
        watched_loop(metrics.registry),
    ):
        pool = await patience("open_database", lambda: open_pool(settings, "tripcast-worker"), unless=stopping)
        await patience("check_schema", lambda: check_schema(pool), unless=stopping)
        # Faust gives up where no broker answers at its start; so it starts when one does.
        await patience("open_broker", lambda: reach(broker), unless=stopping)
        metrics.pool(pool.get_size, pool.get_idle_size)
        producer, signals = RecordProducer(broker), RecordProducer(broker, deadline_seconds=SIGNAL_SECONDS)
        spans = _spans(settings)
        store, ledger = Streams(pool), Ledger()
        events = EventConsumer(broker, _topic(settings, TRIP_EVENTS.name), _topic(settings, settings.worker_group))
        grid = AreaGrid(settings.rules().area)
        tally = TallyCommits(ScoredHistory(pool, grid), grid, metrics, _name(settings))
        send = partial(signals.send, _topic(settings, QUALITY_SIGNALS.name), SIGNAL_KEY)
        look_seldom()
        try:
            yield Parts(
                events=events,
                store=store,
                output=Publisher(
                    producer, settings.topic_prefix, TRIP_EVENTS.name, TRIP_PREDICTIONS.name, TRIP_QUARANTINE.name
                ),
                champion=models.champion,
                follower=Follower(models.champion, metrics, readiness, settings.champion_poll_seconds),
                shadow=models.shadow,
                shadow_follower=ShadowFollower(models.shadow, metrics, settings.champion_poll_seconds),
                score=ScoreEvents(settings.rules(), settings.clock(), decode_one),
                metrics=metrics,
                traces=Traces(metrics, spans),
                presence=Presence(store.record, _name(settings)),
                readiness=readiness,
                progress=progress,
                marks=Marks(store),
                patience=patience,
                ledger=ledger,
                signals=Signals(tally, send, events.known_ends, ledger, metrics),
                monitor=monitor_parts(
                    settings,
                    pool,
                    store=store,
                    registered=models.registered,
                    metrics=metrics,
                    lagging=lambda: _lagging(ledger, events),
                ),
                largest_batch=settings.worker_batch,
            )
        finally:
            if spans is not None:
                await asyncio.to_thread(spans.close)
            for each in (producer, signals):
                await each.__aexit__(None, None, None)
            pool.terminate()


def _spans(settings: WorkerSettings) -> "SpanExport | None":
    """None where no collector is configured: nothing of OpenTelemetry is loaded then."""
    if settings.otlp is None:
        return None
    from adapters.telemetry.spans import Spans  # noqa: PLC0415 - loads OpenTelemetry's SDK

    return Spans(settings.otlp, "tripcast-worker", _name(settings), version("tripcast"))


def _lagging(ledger: Ledger, events: EventConsumer) -> bool:
    ends = events.known_ends(list(ledger.committed))
    return any(offset < ends.get(number, 0) for number, offset in ledger.committed.items())


def _name(settings: WorkerSettings) -> str:
    """Each worker's own."""
    return f"{settings.topic_prefix}tripcast-{socket.gethostname()}-{settings.worker_port or os.getpid()}"


def _faust_folder(settings: WorkerSettings) -> Path:
    return settings.data / "faust"


def _topic(settings: WorkerSettings, name: str) -> str:
    return f"{settings.topic_prefix}{name}"
