"""The trainer role: makes the first champion, then answers what the loop asks for.

A request is a row; messages on `model-lifecycle` only say that it is worth looking. However many trainers run, one of them
holds a request while it works on it, and the answer is written once. Trainings take long, so changes of roles do not queue
behind them. Each training is a process of its own: its memory is given back when it ends, and its death harms nobody.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from tenacity import AsyncRetrying, retry_if_result, wait_fixed

from batch.answer import Answer, RunTraining
from batch.health import Beating, Pulse, beating
from batch.patience import patiently
from batch.training_process import TrainingOrder
from domain.errors import ConcurrentUpdate, TripcastError
from domain.loop.decisions import Outcome, Request, RequestKind

log = structlog.get_logger("tripcast.trainer")

TRAININGS = (RequestKind.RETRAINING,)
ROLE_CHANGES = (RequestKind.PROMOTION, RequestKind.DISMISSAL, RequestKind.ROLLBACK)
ASKED = ".requested"  # how the kinds of messages end that announce a request


class OpenRequest(Protocol):
    """A request that nobody has answered."""

    @property
    def request_id(self) -> int: ...  # noqa: D102 - the fields of the row

    @property
    def request(self) -> Request: ...  # noqa: D102


class Requests(Protocol):
    """What the loop has asked for. Every method raises DatabaseUnreachable."""

    async def open(self, kinds: Sequence[RequestKind]) -> Sequence[OpenRequest]:
        """The unanswered requests of these kinds, oldest first."""
        ...

    def taken(self, request_id: int) -> AbstractAsyncContextManager[OpenRequest | None]:
        """Hold a request; None when it is answered already. Raises ConcurrentUpdate when another process holds it."""
        ...

    async def answer(self, request_id: int, answer: Answer) -> None:
        """Answer it; the first answer stands."""
        ...


class Message(Protocol):
    """What `schemas.events.LifecycleChanged` says."""

    @property
    def kind(self) -> str: ...  # noqa: D102 - the fields of the event


Done = Callable[[], Awaitable[None]]
Listen = Callable[[], AbstractAsyncContextManager[AsyncIterator[tuple[Message, Done]]]]
FirstIsDue = Callable[[], Awaitable[bool | None]]


@dataclass(slots=True)
class Trainer:
    """See the module.

    `first_is_due` answers None while there are too few trips, True when a champion is needed, False when there is one.
    `run_training` raises what `tripcast train` would. `poll_seconds`: how long a request waits at most to be noticed.
    """

    first_is_due: FirstIsDue
    run_training: RunTraining
    requests: Requests
    answer: Callable[[Request], Awaitable[Answer]]
    listen: Listen
    poll_seconds: float
    pulse: Pulse = field(default_factory=Pulse)
    answered: Callable[[RequestKind, Outcome], None] = field(default=lambda _kind, _outcome: None)
    _woken: list[asyncio.Event] = field(default_factory=list)

    async def __call__(self) -> None:
        """Run until cancelled. Outages and other trainers are waited for, with backoff, for ever."""
        beating.set(Beating(self.pulse, "first_champion"))
        await patiently(self._make_first, "first_champion", TripcastError)
        self.pulse.ended("first_champion")
        async with asyncio.TaskGroup() as group:
            group.create_task(self._hear())
            for kinds in (ROLE_CHANGES, TRAININGS):
                group.create_task(self._serve(kinds))

    async def _make_first(self) -> None:
        due: bool | None = await AsyncRetrying(retry=retry_if_result(_undecided), wait=wait_fixed(self.poll_seconds))(
            self._first_is_due
        )
        if due:
            log.info("first_training")
            await self.run_training(TrainingOrder("no champion fits this program's inputs"))

    async def _first_is_due(self) -> bool | None:
        self.pulse.beat("first_champion")
        due = await self.first_is_due()
        self.pulse.goes_on("first_champion")
        return due

    async def _hear(self) -> None:
        """Messages come or do not come: this loop has no beat."""
        beating.set(Beating(self.pulse, None))
        while True:
            await patiently(self._listen, "messages")

    async def _listen(self) -> None:
        async with self.listen() as messages:
            log.info("listening")
            self.pulse.goes_on("messages")
            async for message, done in messages:
                if message.kind.endswith(ASKED):
                    for woken in self._woken:
                        woken.set()
                await done()

    async def _serve(self, kinds: Sequence[RequestKind]) -> None:
        beating.set(Beating(self.pulse, kinds[0].value))
        woken = asyncio.Event()
        self._woken.append(woken)
        while True:
            woken.clear()
            await patiently(lambda: self._answer_all(kinds), kinds[0].value)
            with suppress(TimeoutError):
                await asyncio.wait_for(woken.wait(), self.poll_seconds)

    async def _answer_all(self, kinds: Sequence[RequestKind]) -> None:
        found = await self.requests.open(kinds)
        self.pulse.goes_on(kinds[0].value)
        for each in found:
            await self._answer_one(each.request_id)

    async def _answer_one(self, request_id: int) -> None:
        async with AsyncExitStack() as stack:
            try:
                held = await stack.enter_async_context(self.requests.taken(request_id))
            except ConcurrentUpdate:  # another trainer is at it
                return
            if held is None:
                return
            request = held.request
            log.info("request_taken", kind=request.kind.value, subject=request.subject)
            answer = await self.answer(request)
            await self.requests.answer(request_id, answer)
            self.answered(request.kind, answer.outcome)
            log.info("request_answered", kind=request.kind.value, subject=request.subject, outcome=answer.outcome.value)


def _undecided(due: bool | None) -> bool:  # noqa: FBT001 - the shape that tenacity calls
    return due is None
