"""The trainer role: makes the first champion, then trains whenever `retraining.requested` is said on `model-lifecycle`.

Each training is a process of its own: its memory is given back when it ends, and its death harms nobody. A request is answered
once: what came of it is recorded under its subject before its message counts as dealt with.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol, TypeVar

import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    retry_if_result,
    wait_fixed,
    wait_random_exponential,
)

from domain.entities.models import LifecycleEvent
from domain.errors import ConcurrentUpdate, TripcastError, Unreachable
from domain.ports import Clock

log = structlog.get_logger("tripcast.trainer")

REQUESTED, FINISHED, FAILED = "retraining.requested", "retraining.finished", "retraining.failed"
LONGEST_WAIT_SECONDS = 30.0
ACTOR = "trainer"

T = TypeVar("T")


class Message(Protocol):
    """What `schemas.events.LifecycleChanged` says."""

    @property
    def kind(self) -> str: ...  # noqa: D102 - the fields of the event

    @property
    def subject(self) -> str: ...  # noqa: D102

    @property
    def reason(self) -> str: ...  # noqa: D102


class Journal(Protocol):
    """The record of what happened to models. Raises DatabaseUnreachable."""

    async def record(self, event: LifecycleEvent) -> None:
        """Append an event."""
        ...

    async def newest(self, kinds: list[str], subject: str | None = None) -> LifecycleEvent | None:
        """The event of these kinds, about this subject, that was recorded last."""
        ...


Done = Callable[[], Awaitable[None]]
Listen = Callable[[], AbstractAsyncContextManager[AsyncIterator[tuple[Message, Done]]]]
FirstIsDue = Callable[[], Awaitable[bool | None]]
RunTraining = Callable[[str, str | None], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Trainer:
    """See the module.

    `first_is_due` answers None while there are too few trips, True when a champion is needed, False when there is one.
    `run_training` takes a reason and a subject; it raises what `tripcast train` would.
    """

    first_is_due: FirstIsDue
    run_training: RunTraining
    listen: Listen
    journal: Journal
    clock: Clock
    poll_seconds: float

    async def __call__(self) -> None:
        """Run until cancelled. Outages and other trainers are waited for, with backoff, for ever."""
        await _patiently(self._make_first, "first_champion", TripcastError)
        while True:
            await _patiently(self._answer_requests, "requests")

    async def _make_first(self) -> None:
        due: bool | None = await AsyncRetrying(retry=retry_if_result(_undecided), wait=wait_fixed(self.poll_seconds))(
            self.first_is_due
        )
        if due:
            log.info("first_training")
            await self.run_training("no champion fits this program's inputs", None)

    async def _answer_requests(self) -> None:
        async with self.listen() as messages:
            log.info("listening")
            async for message, done in messages:
                if message.kind == REQUESTED:
                    await _patiently(lambda asked=message: self._answer(asked), message.subject)  # type: ignore[misc]
                await done()

    async def _answer(self, asked: Message) -> None:
        answered = await self.journal.newest([FINISHED, FAILED], asked.subject)
        if answered is not None:
            log.info("request_already_answered", subject=asked.subject, answer=answered.kind)
            return
        try:
            await self.run_training(asked.reason, asked.subject)
        except (Unreachable, ConcurrentUpdate):
            raise
        except TripcastError as error:  # trying again would find the same trips and fail again
            log.warning("training_failed", subject=asked.subject, error=str(error))
            await self.journal.record(LifecycleEvent(FAILED, asked.subject, ACTOR, str(error), self.clock.now()))


def _undecided(due: bool | None) -> bool:  # noqa: FBT001 - the shape that tenacity calls
    return due is None


async def _patiently(work: Callable[[], Awaitable[T]], what: str, *errors: type[TripcastError]) -> T:
    def report(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("waiting", what=what, error=str(error), attempt=state.attempt_number)

    retrying = AsyncRetrying(
        retry=retry_if_exception_type((Unreachable, ConcurrentUpdate, *errors)),
        wait=wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT_SECONDS),
        before_sleep=report,
    )

    async def attempt() -> T:  # tenacity awaits only what is declared as a coroutine function
        return await work()

    return await retrying(attempt)
