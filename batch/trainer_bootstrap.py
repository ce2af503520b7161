"""Put the trainer role together. It stays light: what training itself needs is loaded by the process that trains."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import structlog

from adapters.health.process import register_process, watched_loop
from adapters.health.server import Health, serving
from adapters.health.state import State, register_state
from adapters.kafka.broker import Broker
from adapters.kafka.lifecycle import Done, listening
from adapters.kafka.topics import end_offsets
from adapters.postgres.admin.migrate import check_schema
from adapters.postgres.connection.line import Line
from adapters.postgres.connection.locks import alone
from adapters.postgres.connection.pool import Pool
from adapters.postgres.history.labels import labelled_trips_up_to
from adapters.postgres.loop import requests as stored
from adapters.postgres.loop.gate_results import refused_by
from adapters.postgres.loop.notifications import Notifications
from adapters.postgres.stream.progress import stored_offsets
from adapters.postgres.tables.lifecycle import Journal
from adapters.slack.webhook import Webhook
from batch import bootstrap
from batch.answer import ACTOR, Answer, AnswerRequest, RunTraining
from batch.counted_training import CountedTraining
from batch.health import Pulse
from batch.notify import Notify
from batch.settings import BatchSettings
from batch.stalls import WatchProgress
from batch.trainer import Trainer
from batch.trainer_metrics import TrainerMetrics
from batch.training_process import TrainingProcess
from domain.entities.models import Alias
from domain.errors import TripcastError, Unreachable
from domain.features import feature_schema
from domain.loop.decisions import Request, RequestKind
from schemas.events import LifecycleChanged
from schemas.topics import MODEL_LIFECYCLE, TRIP_EVENTS

log = structlog.get_logger("tripcast.trainer")

WATCH_SECONDS = 10.0
LOOK_SECONDS, LOOK_DEADLINE_SECONDS = 1.0, 2.0
LEAST_CONNECTIONS = 10


@dataclass(frozen=True, slots=True)
class Requests:
    """Implements `batch.trainer.Requests`."""

    pool: Pool

    async def open(self, kinds: Sequence[RequestKind]) -> Sequence[stored.OpenRequest]:
        """The unanswered requests of these kinds, oldest first."""
        return await stored.open_requests(self.pool, kinds)

    def taken(self, request_id: int) -> AbstractAsyncContextManager[stored.OpenRequest | None]:
        """Hold a request."""
        return stored.taken(self.pool, request_id)

    async def answer(self, request_id: int, answer: Answer) -> None:
        """Answer it."""
        await stored.answer(self.pool, request_id, answer.outcome, answer.reason, answer.version)


async def run(settings: BatchSettings, command: Sequence[str], errors: Mapping[int, type[TripcastError]]) -> None:
    """Run the role until SIGTERM or SIGINT. Raises SchemaMismatch when the database is not this program's."""
    work = asyncio.create_task(_observed(settings, TrainingProcess(command, errors)))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        log.info("stopped")


async def _observed(settings: BatchSettings, train: TrainingProcess) -> None:
    """The role, with its health answering before anything else is there. Raises PortInUse."""
    metrics, pulse = TrainerMetrics(), Pulse(lambda: train.runs)
    register_process(metrics.registry)
    register_state(metrics.registry, State(lambda: pulse.ready()[0], lambda: pulse.alive()[0]))
    health = Health(pulse.alive, pulse.ready, metrics.exposition)
    async with (
        serving(health, settings.trainer_port, settings.trainer_host, "TRIPCAST_TRAINER_PORT"),
        watched_loop(metrics.registry),
    ):
        await _run(settings, train, metrics, pulse)


async def _run(settings: BatchSettings, train: TrainingProcess, metrics: TrainerMetrics, pulse: Pulse) -> None:
    # Every one of its tasks holds a lock, which is a connection, and needs another one beside it.
    roomy = settings.model_copy(update={"database_pool": max(settings.database_pool, LEAST_CONNECTIONS)})
    while True:
        try:
            async with bootstrap.database(roomy) as pool:
                await check_schema(pool)
                pulse.goes_on("database")
                trainer = _trainer(settings, pool, CountedTraining(train, metrics, partial(refused_by, pool)))
                observed = replace(trainer, pulse=pulse, answered=metrics.answered)
                await _together(
                    observed(),
                    look(Line(settings, "tripcast-trainer-look", LOOK_DEADLINE_SECONDS), pulse),
                    *watchers(settings, pool),
                )
        except Unreachable as error:  # the first connection; afterwards the trainer itself is patient
            pulse.waits("database", str(error))
            log.warning("waiting", what="database", error=str(error))
            await asyncio.sleep(settings.trainer_poll_seconds)


async def _together(*work: Coroutine[Any, Any, None]) -> None:
    """All of it, until one fails; then none goes on."""
    try:
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(each)
    except* Unreachable as errors:
        raise Unreachable(str(errors.exceptions[0])) from errors


async def look(line: Line, pulse: Pulse) -> None:
    """Tell whether the database answers, for ever: the trainer's own statements may take half a minute to find that out."""
    try:
        while True:
            try:
                async with line.connected() as connection:
                    await connection.fetchval("select 1")
            except Unreachable as error:
                pulse.waits("database", str(error))
            else:
                pulse.goes_on("database")
            await asyncio.sleep(LOOK_SECONDS)
    finally:
        line.close()


def watchers(settings: BatchSettings, pool: Pool) -> list[Coroutine[Any, Any, None]]:
    """What keeps people informed: notices a standstill, and posts to the webhook if there is one."""
    topic = f"{settings.topic_prefix}{TRIP_EVENTS.name}"

    async def offsets() -> tuple[dict[int, int], dict[int, int]]:
        return await stored_offsets(pool), await end_offsets(Broker.of(settings), topic)

    clock = bootstrap.SystemClock()
    watch = WatchProgress(offsets, Journal(pool), lambda: alone(pool, "progress"), clock, time.monotonic, WATCH_SECONDS)
    if settings.webhook is None:
        return [watch()]
    post = Webhook(settings.webhook.get_secret_value()).post
    return [watch(), Notify(Notifications(pool), post, lambda: alone(pool, "notifications"), settings.trainer_poll_seconds)()]


def _trainer(settings: BatchSettings, pool: Pool, train: RunTraining) -> Trainer:
    registry, schema = bootstrap.registry_of(settings), feature_schema(settings.clock())

    async def first_is_due() -> bool | None:
        champion = await asyncio.to_thread(registry.resolve, Alias.CHAMPION)
        if champion is not None and champion.feature_schema == schema:
            return False
        enough = await labelled_trips_up_to(pool, settings.train_least_trips) >= settings.train_least_trips
        return True if enough else None

    def listen() -> AbstractAsyncContextManager[AsyncIterator[tuple[LifecycleChanged, Done]]]:
        topic = f"{settings.topic_prefix}{MODEL_LIFECYCLE.name}"
        return listening(Broker.of(settings), topic, f"{settings.topic_prefix}tripcast-trainer")

    answer = answering(settings, pool, train)
    return Trainer(first_is_due, train, Requests(pool), answer, listen, settings.trainer_poll_seconds)


def answering(settings: BatchSettings, pool: Pool, train: RunTraining) -> AnswerRequest:
    """How requests are answered; one change of roles at a time, whoever makes it."""

    async def promote(version: int, request: Request) -> object:
        async with alone(pool, bootstrap.ROLE_CHANGES):
            change = bootstrap.promotion(settings, pool)
            return await change(version, ACTOR, request.reason, request=request.subject, watch=True)

    async def roll_back(request: Request) -> object:
        async with alone(pool, bootstrap.ROLE_CHANGES):
            return await bootstrap.rolling_back(settings, pool)(ACTOR, request.reason, request=request.subject)

    parts = bootstrap.registry_of(settings), Journal(pool), train, promote, roll_back, bootstrap.SystemClock()
    return AnswerRequest(*parts)
