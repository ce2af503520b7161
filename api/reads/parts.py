"""The read side as its routes see it: there from the start, and open for as long as the application runs."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from api.checks import Checks
from api.metrics import Metrics
from api.problems import ApiProblem
from api.reads.bounded import Bounded, bounded_route
from api.reads.library import Library
from api.reads.live import LivePanels
from api.reads.machine import own_status
from api.reads.ports import Answers
from api.reads.sampler import Sampler
from api.reads.snapshots import Snapshots
from schemas.http.health import RoleStatus


@dataclass(frozen=True, slots=True)
class Parts:
    """What routes answer from."""

    sampler: Sampler
    snapshots: Snapshots
    answers: Answers
    library: Library
    live: LivePanels

    @property
    def numbers(self) -> frozenset[int]:
        """The numbers of all areas."""
        return frozenset(area.area for area in self.library.areas.areas)


@dataclass(frozen=True, slots=True)
class Self:
    """This API as a role of the system. `folder`: on the disk that it writes to; `loop_lag_seconds`: as it was last."""

    environment: str
    address: str
    version: str
    folder: Path
    checks: Checks
    loop_lag_seconds: Callable[[], float]

    def status(self) -> RoleStatus:
        """As it would tell anybody who asked."""
        missing = self.checks.missing()
        return own_status(
            "API",
            self.address,
            version=self.version,
            ready=not missing,
            detail="; ".join(f"{name}: {why}" for name, why in missing.items()),
            loop_lag_seconds=self.loop_lag_seconds(),
        )


class Reads:
    """Holds the parts while they are open. `me`, `metrics`: what this API knows of itself; `route`: the class of its routes."""

    def __init__(self, open_parts: Callable[[], AbstractAsyncContextManager[Parts]], me: Self, metrics: Metrics) -> None:
        self.me, self.metrics = me, metrics
        self.route = bounded_route(Bounded(me.checks))
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
