"""Predictions on their way to the database: written behind the answer, bounded, and tried until they are there.

An answer goes out before its row is committed. What a `kill -9` can take is therefore what waits here: GATHER_SECONDS and one
commit's worth of answers while the database answers, and at most the queue's bound while it does not.
"""

import asyncio
from collections.abc import Awaitable

import structlog

from api.checks import Checks
from api.metrics import Metrics
from api.ports import ServedStore
from api.problems import ApiProblem, overloaded
from domain.entities.served import ServedPredictions
from domain.errors import TripcastError

log = structlog.get_logger("tripcast.api")

GATHER_SECONDS = 0.01  # a COPY costs a millisecond however few rows it has
WRITE_ROWS = 5_000  # one COPY's most, and what is written without gathering
LOOSE_PARTS = 256  # then they become one: a part of one row costs twenty times what the row does
PROBE_SECONDS = 1.0
RETRY_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0)
FULL_RETRY_SECONDS = 2
CHECK = "prediction_log"


class LogQueue:
    """See the module. `most`: rows that may wait."""

    def __init__(self, most: int, metrics: Metrics, checks: Checks) -> None:
        self._most, self._metrics, self._checks = most, metrics, checks
        self._parts: list[ServedPredictions] = []
        self._loose = 0  # parts at the end that have not been joined
        self._waiting = 0
        self._some, self._none = asyncio.Event(), asyncio.Event()
        self._none.set()
        metrics.log_limit.set(most)

    @property
    def waiting(self) -> int:
        """Rows that are not committed yet."""
        return self._waiting

    def check_room(self, rows: int) -> None:
        """Raises ApiProblem 503 when that many more must not wait; an empty queue takes any number."""
        if self._waiting and self._waiting + rows > self._most:
            raise self._full()

    def add(self, rows: ServedPredictions) -> None:
        """Take rows, whose answers may then go out. Raises as `check_room` does."""
        self.check_room(len(rows))
        self._parts.append(rows)
        self._loose += 1
        if self._loose >= LOOSE_PARTS:
            self._parts[-self._loose :] = [ServedPredictions.concatenate(self._parts[-self._loose :])]
            self._loose = 0
        self._count(len(rows))

    async def run(self, store: ServedStore) -> None:
        """Write until cancelled. While there is nothing to write, look whether it could be."""
        while True:
            try:
                async with asyncio.timeout(PROBE_SECONDS):
                    await self._some.wait()
            except TimeoutError:
                await self._probe(store)
                continue
            if self._waiting < WRITE_ROWS:
                await asyncio.sleep(GATHER_SECONDS)
            await self._write(store, self._take())

    async def drained(self, seconds: float) -> int:
        """Wait until nothing waits, or that long; returns the rows that still do."""
        try:
            async with asyncio.timeout(seconds):
                await self._none.wait()
        except TimeoutError:
            pass
        return self._waiting

    def give_up(self) -> None:
        """Say what will never be written."""
        if self._waiting:
            log.error("predictions_lost", rows=self._waiting)
            self._metrics.lost.inc(self._waiting)

    async def _write(self, store: ServedStore, rows: ServedPredictions) -> None:
        tries = 0
        while (error := await self._attempt(store.write(rows, again=tries > 0))) is not None:
            if tries == 0:
                log.warning("prediction_log", up=False, reason=str(error), waiting=self._waiting)
            await asyncio.sleep(RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)])
            tries += 1
        if tries:
            log.info("prediction_log", up=True, waiting=self._waiting)
        self._metrics.written.inc(len(rows))
        self._count(-len(rows))

    async def _probe(self, store: ServedStore) -> None:
        await self._attempt(store.probe())

    async def _attempt(self, work: Awaitable[None]) -> Exception | None:
        """Note how it went."""
        try:
            await work
        except Exception as error:  # rows wait here that must not be dropped, whatever is wrong
            detail = str(error) if isinstance(error, TripcastError) else "rows are refused; the log says why"
            if not isinstance(error, TripcastError):
                log.exception("prediction_log_refused")
            self._checks.note(CHECK, ok=False, detail=detail)
            return error
        full = self._waiting >= self._most
        self._checks.note(CHECK, ok=not full, detail=f"{self._waiting} predictions wait" if full else "")
        return None

    def _take(self) -> ServedPredictions:
        """The oldest parts, up to about WRITE_ROWS rows, as one."""
        count = rows = 0
        while count < len(self._parts) and (count == 0 or rows + len(self._parts[count]) <= WRITE_ROWS):
            rows += len(self._parts[count])
            count += 1
        taken = self._parts[:count]
        del self._parts[:count]
        self._loose = min(self._loose, len(self._parts))
        if not self._parts:
            self._some.clear()
        return taken[0] if count == 1 else ServedPredictions.concatenate(taken)

    def _count(self, rows: int) -> None:
        self._waiting += rows
        self._metrics.waiting.set(self._waiting)
        if rows > 0:
            self._some.set()
            self._none.clear()
        elif not self._waiting:
            self._none.set()

    def _full(self) -> ApiProblem:
        detail = f"{self._waiting} predictions wait to be logged already; no answer is given that could not be logged."
        return overloaded(detail, FULL_RETRY_SECONDS)
