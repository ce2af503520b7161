"""The read side as its routes see it: there from the start, and open for as long as the application runs."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass

from api.problems import ApiProblem
from api.reads.ports import Answers
from api.reads.sampler import Sampler
from api.reads.snapshots import Snapshots


@dataclass(frozen=True, slots=True)
class Parts:
    """What routes answer from."""

    sampler: Sampler
    snapshots: Snapshots
    answers: Answers

    @property
    def numbers(self) -> frozenset[int]:
        """The numbers of all areas."""
        return frozenset(area.area for area in self.answers.areas.areas)


class Reads:
    """Holds the parts while they are open."""

    def __init__(self, open_parts: Callable[[], AbstractAsyncContextManager[Parts]]) -> None:
        self._open_parts = open_parts
        self._parts: Parts | None = None

    @property
    def parts(self) -> Parts:
        """Raises ApiProblem before the application has started and after it has ended."""
        if self._parts is None:
            raise ApiProblem(503, "not-ready", "It cannot serve", "The API is starting or stopping.", retry_after=1)
        return self._parts

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Needs nothing of the outside world: what is away is asked again."""
        async with self._open_parts() as parts:
            self._parts = parts
            try:
                yield
            finally:
                self._parts = None
