"""Ask something outside with a deadline that holds even when the one asked is frozen and nothing can be called off."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Question(Generic[T]):
    """Asks one thing at a time. A driver that is cancelled may wait for its server once more: so nothing is cancelled here.

    While an answer is out, asking again waits for that answer, for another `seconds`.
    """

    def __init__(self, ask: Callable[[], Awaitable[T]], seconds: float) -> None:
        self._ask, self._seconds = ask, seconds
        self._asked: asyncio.Future[T] | None = None

    async def __call__(self) -> T:
        """The answer. Raises TimeoutError, and whatever the one asked raises."""
        asked = self._asked or asyncio.ensure_future(self._ask())
        self._asked = asked
        done, _ = await asyncio.wait({asked}, timeout=self._seconds)
        if not done:
            raise TimeoutError(f"no answer within {self._seconds:g} s")
        self._asked = None
        return asked.result()
