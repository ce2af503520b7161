"""Ask something over and over without ever asking twice at once: who asks waits a while, the question goes on."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Asking(Generic[T]):
    """Single flight. A question that is late is not cancelled: cancelling it can take longer than its answer would."""

    def __init__(self, question: Callable[[], Awaitable[T]]) -> None:
        self._question = question
        self._task: asyncio.Task[T] | None = None

    async def __call__(self, seconds: float) -> T:
        """The answer, to this question or to the one still under way. Raises TimeoutError, and what the question raises."""
        task = self.start()
        await asyncio.wait([task], timeout=seconds)
        if not task.done():
            raise TimeoutError
        if self._task is task:
            self._task = None
        return task.result()

    def start(self) -> "asyncio.Task[T]":
        """Ask, unless an answer is under way."""
        if self._task is None:
            self._task = asyncio.ensure_future(self._asked())
            self._task.add_done_callback(_look_at)
        return self._task

    def forget(self) -> None:
        """Ask anew next time, also when an answer that nobody waited for has come in the meantime."""
        if self._task is not None and self._task.done():
            self._task = None

    async def stop(self) -> None:
        """Give up what is under way."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.wait([task], timeout=1.0)

    async def _asked(self) -> T:
        return await self._question()


def _look_at(task: "asyncio.Task[T]") -> None:
    """Somebody has seen its exception, even when nobody waits any more."""
    if not task.cancelled():
        task.exception()
