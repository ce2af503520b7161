"""Wait for what is away or busy: with backoff, for ever, saying what is waited for."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type, wait_random_exponential

from batch.health import beating
from domain.errors import ConcurrentUpdate, TripcastError, Unreachable

log = structlog.get_logger("tripcast.trainer")

LONGEST_WAIT_SECONDS = 4.0  # health says within 5 s that what was away is back

T = TypeVar("T")


async def patiently(work: Callable[[], Awaitable[T]], what: str, *errors: type[TripcastError]) -> T:
    """Do the work again while something is unreachable or another process is busy, or raises one of `errors`."""
    mine = beating.get()

    def report(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if mine is not None:
            mine.pulse.waits(what, str(error))
        log.warning("waiting", what=what, error=str(error), attempt=state.attempt_number)

    retrying = AsyncRetrying(
        retry=retry_if_exception_type((Unreachable, ConcurrentUpdate, *errors)),
        wait=wait_random_exponential(multiplier=0.5, max=LONGEST_WAIT_SECONDS),
        before_sleep=report,
    )

    async def attempt() -> T:  # tenacity awaits only what is declared as a coroutine function
        if mine is not None and mine.loop is not None:
            mine.pulse.beat(mine.loop)
        return await work()

    try:
        return await retrying(attempt)
    finally:
        if mine is not None:
            mine.pulse.goes_on(what)
