"""Wait for what is outside: retry with backoff for ever, say so, and stop waiting when the work has lost its purpose."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_exponential_jitter

from domain.errors import BrokerUnreachable, DatabaseUnreachable, Unreachable
from stream.health import Readiness

log = structlog.get_logger("tripcast.stream")
T = TypeVar("T")

FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.1, 2.0


@dataclass(frozen=True, slots=True)
class Patience:
    """Retries infrastructure errors alone. An event's contents never cause one."""

    readiness: Readiness

    async def __call__(self, what: str, action: Callable[[], Awaitable[T]], *, unless: Callable[[], bool]) -> T:
        """The action's result, however long that takes; its Unreachable error when `unless` holds after an attempt."""

        def report(state: RetryCallState) -> None:
            error = state.outcome.exception() if state.outcome else None
            self.readiness.waits(what, _name(error), str(error))
            log.warning("waiting", stage=what, attempt=state.attempt_number, error=str(error))

        attempts = AsyncRetrying(
            retry=retry_if_exception_type(Unreachable),
            wait=wait_exponential_jitter(FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, jitter=FIRST_WAIT_SECONDS),
            stop=lambda _state: unless(),
            before_sleep=report,
            reraise=True,
        )

        async def attempt() -> T:  # tenacity awaits only what is declared as a coroutine function
            return await action()

        try:
            return await attempts(attempt)
        finally:
            self.readiness.goes_on(what)


def _name(error: BaseException | None) -> str:
    if isinstance(error, DatabaseUnreachable):
        return "database"
    return "broker" if isinstance(error, BrokerUnreachable) else "registry"
