"""The Faust application: opens the worker's parts, runs hot path and Monitor as a service, and listens to low-rate topics."""

import asyncio
import os
import signal
import threading
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

import faust
import msgspec
import structlog
from faust.auth import Credentials

from domain.errors import TripcastError, Unreachable
from schemas.events import LifecycleChanged
from stream.hot_path import FLUSH_SECONDS, HotPath, Parts
from stream.monitor_host import MonitorHost
from stream.ports import Broker
from stream.watch import Watch

log = structlog.get_logger("tripcast.stream")

DRAIN_SECONDS = 3.0
LOOK_SECONDS = 1.0
LEAVE_SECONDS = 8.5
MODEL_EVENTS = (
    "model.promoted",
    "model.rolled_back",
    "challenger.accepted",
    "challenger.dismissed",
    "retraining.finished",
)

_decode = msgspec.json.Decoder(LifecycleChanged).decode

Stopping = Callable[[], bool]
OpenParts = Callable[[Stopping], AbstractAsyncContextManager[Parts]]


@dataclass(frozen=True, slots=True)
class Topics:
    """Names of the topics that every worker hears every message of."""

    lifecycle: str
    signals: str


class Stream(faust.Service):
    """The hot path, who follows the registry, and the watch over both, as a service of the application."""

    def __init__(self, parts: Parts) -> None:
        super().__init__()
        self._parts = parts
        self._hot_path = HotPath(parts, stopping=self._stopping)
        self._watch = Watch(parts, self._hot_path.say_published)
        self._monitor = MonitorHost(parts.monitor, stopping=self._stopping)
        self._reading: asyncio.Future[None] | None = None

    async def on_start(self) -> None:
        """Begin."""
        self.add_future(self._parts.follower.follow(self._stopping))
        self.add_future(self._parts.shadow_follower.follow(self._stopping))
        self.add_future(self._hot_path.write())
        self.add_future(self._hot_path.publish())
        self._parts.presence.started()
        self.add_future(self._parts.presence.tell())
        self.add_future(self._parts.signals.tally())
        self.add_future(self._parts.signals.send())
        self.add_future(self._monitor.lead())
        self.add_future(self._monitor.work())
        self._reading = self.add_future(self._hot_path.read())

    async def on_stop(self) -> None:
        """Let the batches in hand through; what does not get through in time is read again at the next start."""
        if self._reading is not None:
            await asyncio.wait({self._reading}, timeout=DRAIN_SECONDS)
        await self._hot_path.settle(DRAIN_SECONDS)
        self._parts.presence.stopped()
        await asyncio.gather(self._parts.signals.flush(FLUSH_SECONDS), self._parts.presence.flush(FLUSH_SECONDS))
        await self._parts.events.close()
        log.info("drained", next_offsets=self._parts.ledger.committed)

    def models_changed(self) -> None:
        """Ask the registry now."""
        self._parts.follower.ask()
        self._parts.shadow_follower.ask()
        self._monitor.ask()

    def signalled(self, message: bytes) -> None:
        """A worker, perhaps this one, tells what it has committed."""
        self._parts.monitor.inbox.put(message)

    @faust.Service.timer(LOOK_SECONDS)
    async def _look(self) -> None:
        await self._watch.look()

    def _stopping(self) -> bool:
        return bool(self.should_stop)


class Worker(faust.Worker):
    """A worker that ends in time. Libraries wait for frozen servers at their end, some for a minute."""

    async def stop(self) -> None:
        """Stop in order, or leave: what matters is in the database and in Kafka by then, and the next start reads it there."""
        timer = threading.Timer(LEAVE_SECONDS, self._leave)
        timer.daemon = True
        timer.start()
        await super().stop()

    def _leave(self) -> None:
        log.warning("left_unfinished", seconds=LEAVE_SECONDS)
        os._exit(1 if self.crash_reason else 0)


class Application(faust.App):
    """Opens the parts before anything else of it starts, and closes them after everything has stopped."""

    open_parts: OpenParts
    hot: Stream | None = None
    refusal: TripcastError | None = None  # why it cannot work here; whoever starts it again needs the words and the code

    async def on_start(self) -> None:
        """Wait for what is outside, however long it takes, with health already answering."""
        await super().on_start()
        try:
            parts = await self.add_async_context(self.open_parts(lambda: bool(self.should_stop)))
        except Unreachable:
            if self.should_stop:
                return
            raise
        except TripcastError as error:
            self.refusal = error
            signal.raise_signal(signal.SIGTERM)  # Faust would call it a crash, and tell a traceback
            await self.wait_until_stopped()
            return
        self.hot = Stream(parts)
        self.add_dependency(self.hot)


def create_application(name: str, broker: Broker, topics: Topics, folder: Path, open_parts: OpenParts) -> Application:
    """Put the application together; nothing is opened. `name` is this worker's own, so that each hears every message.

    Faust keeps nothing of ours in `folder`, but creates one wherever it starts.
    """
    application = Application(
        name,
        broker=[f"kafka://{address}" for address in broker.servers.split(",")],
        broker_credentials=_credentials(broker),
        datadir=folder,
        web_enabled=False,
        store="memory://",
        consumer_auto_offset_reset="latest",
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
    )
    application.open_parts = open_parts
    _follow_lifecycle(application, topics.lifecycle)
    _follow_signals(application, topics.signals)
    return application


def _credentials(broker: Broker) -> Credentials | None:
    login, tls = broker.login, broker.tls()
    if login is not None:
        secret = login.password.get_secret_value()
        return faust.SASLCredentials(username=login.user, password=secret, ssl_context=tls, mechanism=login.mechanism)
    return faust.SSLCredentials(tls) if tls is not None else None


def _follow_lifecycle(application: Application, topic: str) -> None:
    @application.agent(_raw(application, topic), name="model-lifecycle")
    async def follow_lifecycle(values: faust.Stream) -> None:
        async for value in values:
            if application.hot is not None and tells_of_models(value):
                application.hot.models_changed()


def _follow_signals(application: Application, topic: str) -> None:
    @application.agent(_raw(application, topic), name="quality-signals")
    async def follow_signals(values: faust.Stream) -> None:
        async for value in values:
            if application.hot is not None and value is not None:  # a tombstone says nothing
                application.hot.signalled(value)


def _raw(application: Application, topic: str) -> faust.TopicT:
    return application.topic(topic, value_type=bytes, value_serializer="raw", key_serializer="raw")


def tells_of_models(value: bytes) -> bool:
    """Whether a message on `model-lifecycle` is a reason to ask the registry. What is no such message is none."""
    try:
        return _decode(value).kind in MODEL_EVENTS
    except (ValueError, TypeError, RecursionError):  # msgspec's errors are ValueErrors
        log.warning("lifecycle_message_unreadable", bytes=len(value or b""))
        return False
