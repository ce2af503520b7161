"""A closed loop of keep-alive connections: each sends its next request when the last one is answered in full.

An asyncio protocol over httptools and uvloop and nothing else, so that on two cores the load costs little of what is measured;
`benchmarks.api.suite` measures how much, against a server that answers at once. Any answer but 200 ends the benchmark.
"""

import asyncio
import gc
import itertools
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast
from urllib.parse import urlsplit

import httptools
import numpy as np
import uvloop
from numpy.typing import NDArray

DEADLINE_SECONDS = 60.0  # after the end, for what is under way


@dataclass(slots=True)
class Answers:
    """What came back. `asked`: positions in the list of requests; `seconds`: waits, and `done`: when, for each of them."""

    asked: list[int] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    done: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Measured:
    """One round: answers a second and their waits in seconds, without the warm-up; all answers, with it."""

    rate: float
    waits: NDArray[np.float64]
    answers: Answers


def load(address: str, requests: Sequence[bytes], connections: int, seconds: float, warm_up: float, **how: bool) -> Measured:
    """Ask for `warm_up` + `seconds` over so many connections; after the last request comes the first again.

    `may_end`: a server that goes away ends it too, instead of the benchmark.
    """
    gc.collect()
    gc.disable()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            answers, began = runner.run(_ask(address, requests, connections, warm_up + seconds, **how))
    finally:
        gc.enable()
    done = np.array(answers.done) - began
    counted = (done >= warm_up) & (done < warm_up + seconds)
    return Measured(float(counted.sum() / seconds), np.array(answers.seconds)[counted], answers)


async def _ask(
    address: str, requests: Sequence[bytes], connections: int, seconds: float, *, may_end: bool = False
) -> tuple[Answers, float]:
    where, loop, answers = urlsplit(address), asyncio.get_running_loop(), Answers()
    turns = itertools.cycle(range(len(requests)))
    began = time.perf_counter()

    def caller() -> "_Caller":
        return _Caller(requests, turns, began + seconds, answers, may_end=may_end)

    callers = [(await loop.create_connection(caller, where.hostname or "", where.port or 0))[1] for _ in range(connections)]
    async with asyncio.timeout(seconds + DEADLINE_SECONDS):
        await asyncio.gather(*(each.finished for each in callers))
    return answers, began


class _Caller(asyncio.Protocol):
    """One connection."""

    def __init__(
        self, requests: Sequence[bytes], turns: "itertools.cycle[int]", until: float, answers: Answers, *, may_end: bool
    ) -> None:
        self.requests, self.turns, self.until, self.answers, self.may_end = requests, turns, until, answers, may_end
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.parser = httptools.HttpResponseParser(self)
        self.body: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)
        self._next()

    def data_received(self, data: bytes) -> None:
        self.parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self.body.append(body)

    def on_message_complete(self) -> None:
        now, body = time.perf_counter(), b"".join(self.body)
        if (status := self.parser.get_status_code()) != 200:  # noqa: PLR2004 - HTTP
            return self._fail(f"request {self.turn} was answered with {status}: {body[:500]!r}")
        self.answers.asked.append(self.turn)
        self.answers.bodies.append(body)
        self.answers.seconds.append(now - self.sent)
        self.answers.done.append(now)
        self.body.clear()
        return self._next() if now < self.until else self._end()

    def connection_lost(self, error: Exception | None) -> None:
        if self.may_end and not self.finished.done():
            self.finished.set_result(None)
        elif not self.finished.done():
            self._fail(f"the connection was closed before the answer to request {self.turn}: {error}")

    def _next(self) -> None:
        self.turn = next(self.turns)
        self.sent = time.perf_counter()
        self.transport.write(self.requests[self.turn])

    def _end(self) -> None:
        self.finished.set_result(None)
        self.transport.close()

    def _fail(self, why: str) -> None:
        self.finished.set_exception(RuntimeError(why))
        self.transport.close()
