"""Look after the worker once a second: is everything there that it needs, how far behind is it, what is not said yet."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

import structlog

from domain.entities.streams import StreamSource
from domain.errors import Unreachable
from stream.hot_path import Parts
from stream.question import Question

log = structlog.get_logger("tripcast.stream")
T = TypeVar("T")

DEADLINE_SECONDS = 3.0
HINT_SECONDS = 5.0


class Watch:
    """Probes database and broker by itself, so that health does not depend on the hot path's luck."""

    def __init__(self, parts: Parts, say_published: Callable[[], Awaitable[None]]) -> None:
        self._events, self._store, self._ledger = parts.events, parts.store, parts.ledger
        self._metrics, self._readiness, self._progress = parts.metrics, parts.readiness, parts.progress
        self._database = Question(self._ask_database, DEADLINE_SECONDS)
        self._broker = Question(self._events.source, DEADLINE_SECONDS)
        self._ends = Question(self._ask_ends, DEADLINE_SECONDS)
        self._tell = Question(say_published, DEADLINE_SECONDS)
        self._source: StreamSource | None = None
        self._hinted_at = time.monotonic()

    async def look(self) -> None:
        """One round; takes a few seconds at most and never raises for something outside."""
        probes = self._probe("database", self._database), self._probe("broker", self._broker)
        database, source = await asyncio.gather(*probes)
        self._metrics.database_up.set(database is not None and "database" not in self._readiness.missing)
        if source is not None:
            self._compare(source)
            await self._measure_lag()
        if not self._readiness.missing:
            await self._tidy_up()

    async def _ask_database(self) -> bool:
        await self._store.positions(self._ledger.source_id, [])
        return True

    async def _ask_ends(self) -> Mapping[int, int]:
        return await self._events.end_offsets(sorted(self._ledger.committed))

    async def _probe(self, what: str, question: Question[T]) -> T | None:
        try:
            answer = await question()
        except (Unreachable, TimeoutError) as error:
            self._readiness.down(what, str(error))
            return None
        self._readiness.up(what)
        return answer

    async def _measure_lag(self) -> None:
        if not self._ledger.committed:
            self._note({})
            return
        try:
            self._note(await self._ends())
        except (Unreachable, TimeoutError) as error:  # a rebalance, or a client that is being built anew
            log.debug("lag_unknown", why=str(error))

    def _note(self, ends: Mapping[int, int]) -> None:
        committed = self._ledger.committed
        lag = {number: max(0, end - committed[number]) for number, end in ends.items() if number in committed}
        self._metrics.lag(lag)
        self._progress.note(lag, committed, waiting=bool(self._readiness.missing))

    def _compare(self, source: StreamSource) -> None:
        """A topic that was deleted and created again looks the same to the consumer, but for its id."""
        before, self._source = self._source, source
        if before is not None and before != source:
            log.warning("topic_changed", topic=source.topic, topic_uuid=str(source.topic_uuid))
            self._ledger.begin_anew()

    async def _tidy_up(self) -> None:
        if self._ledger.idle.is_set():
            try:
                await self._tell()
            except (Unreachable, TimeoutError) as error:
                log.info("published_not_said", why=str(error))
        if time.monotonic() - self._hinted_at > HINT_SECONDS:
            self._hinted_at = time.monotonic()
            self._events.hint(self._ledger.committed)
