"""Put the canary together. It stays small: no model, no registry."""

import asyncio
import logging
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass

import structlog

from adapters.health.process import register_process, watched_loop
from adapters.health.server import Health, serving
from adapters.health.state import State, register_state
from adapters.kafka.broker import Broker
from adapters.kafka.past_records import PastRecords, past_records
from adapters.kafka.producer import RecordProducer
from adapters.postgres.connection.pool import Pool, open_pool
from adapters.postgres.tables.canaries import is_stored
from cli.canary.canary import Canary
from cli.canary.health import BROKER, DATABASE, CanaryHealth
from cli.canary.metrics import CanaryMetrics
from cli.canary.settings import CanarySettings
from domain.errors import DatabaseUnreachable, Unreachable
from schemas.topics import TRIP_EVENTS, TRIP_PREDICTIONS

log = structlog.get_logger("tripcast.canary")

NAME = "tripcast-canary"
RETRY_SECONDS = 2.0
SEND_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Skies:
    """Implements `cli.canary.canary.Skies`."""

    events: PastRecords
    predictions: PastRecords
    producer: RecordProducer
    pool: Pool
    topic: str

    async def partitions(self) -> int:
        """Asked of the broker."""
        return len(await self.events.partitions())

    async def partition_of(self, trip_ids: Sequence[str]) -> list[int]:
        """As our producers choose it."""
        return await self.events.partition_of([trip_id.encode() for trip_id in trip_ids])

    async def ahead(self, trip_id: str) -> tuple[int, int]:
        """The end of its partition, now."""
        [partition] = await self.predictions.partition_of([trip_id.encode()])
        return partition, (await self.predictions.limits(partition))[1]

    async def send(self, trip_id: str, value: bytes) -> None:
        """Keyed by the trip."""
        await self.producer.send(self.topic, trip_id.encode(), value)

    async def predicted(self, trip_id: str, place: tuple[int, int]) -> None:
        """Reads one partition, from there to the prediction."""
        key = trip_id.encode()
        async with aclosing(self.predictions.following(*place)) as records:
            async for record in records:
                if record.key == key:
                    return

    async def stored(self, trip_id: str) -> bool:
        """By key."""
        return await is_stored(self.pool, trip_id)


async def run(settings: CanarySettings) -> None:
    """Run the role until SIGTERM or SIGINT. Raises PortInUse."""
    logging.getLogger("aiokafka").addHandler(logging.NullHandler())  # what it complains of reaches the log as our event
    work = asyncio.create_task(_observed(settings))
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, work.cancel)
    try:
        await work
    except asyncio.CancelledError:
        log.info("stopped")


async def _observed(settings: CanarySettings) -> None:
    """The role, with its health answering before anything else is there."""
    metrics = CanaryMetrics()
    metrics.interval.set(settings.canary_interval_seconds)
    longest = settings.canary_interval_seconds + settings.canary_deadline_seconds + SEND_SECONDS
    health = CanaryHealth(longest)
    register_process(metrics.registry)
    register_state(metrics.registry, State(lambda: health.ready()[0], lambda: health.alive()[0], health.parts))
    answers = Health(health.alive, health.ready, metrics.exposition)
    async with (
        serving(answers, settings.canary_port, settings.canary_host, "TRIPCAST_CANARY_PORT"),
        watched_loop(metrics.registry),
    ):
        if not settings.canary_interval_seconds:
            log.info("no_canary", why="TRIPCAST_CANARY_INTERVAL_SECONDS is 0")
            await _idle(health)
        await _fly_for_ever(settings, metrics, health)


async def _idle(health: CanaryHealth) -> None:
    """Health goes on to answer."""
    health.nothing_to_do()
    while True:
        health.beat()
        await asyncio.sleep(RETRY_SECONDS)


async def _fly_for_ever(settings: CanarySettings, metrics: CanaryMetrics, health: CanaryHealth) -> None:
    """One connection after the other: whatever a broker's or database's end leaves behind is opened anew."""
    while True:
        health.beat()
        try:
            async with _skies(settings, health) as skies:
                route = settings.rules().area.canary_route()
                canary = Canary(skies, route, metrics, health, settings.canary_deadline_seconds)
                await _in_turn(canary, health, settings.canary_interval_seconds)
        except Unreachable as error:
            health.down(DATABASE if isinstance(error, DatabaseUnreachable) else BROKER, str(error))
            log.warning("waiting", error=str(error))
            await asyncio.sleep(RETRY_SECONDS)


async def _in_turn(canary: Canary, health: CanaryHealth, interval_seconds: float) -> None:
    loop = asyncio.get_running_loop()
    due = loop.time()
    while True:
        health.beat()
        await canary.fly()
        due = max(due + interval_seconds, loop.time())  # one that was late is not made up for
        await asyncio.sleep(due - loop.time())


@asynccontextmanager
async def _skies(settings: CanarySettings, health: CanaryHealth) -> AsyncIterator[Skies]:
    broker, prefix = Broker.of(settings), settings.topic_prefix
    pool = await open_pool(settings, NAME)
    health.up(DATABASE)
    try:
        async with (
            past_records(broker, f"{prefix}{TRIP_EVENTS.name}", NAME) as events,
            past_records(broker, f"{prefix}{TRIP_PREDICTIONS.name}", NAME) as predictions,
            RecordProducer(broker, deadline_seconds=SEND_SECONDS) as producer,
        ):
            health.up(BROKER)
            yield Skies(events, predictions, producer, pool, f"{prefix}{TRIP_EVENTS.name}")
    finally:
        with suppress(DatabaseUnreachable):
            pool.terminate()
