"""Routes that answer within two seconds when the database falls silent, and take their time while it merely is slow.

A question to a silent database cannot be called off: cancelling waits for the database's consent. So it is left behind, and
ends by its own deadline; whoever asked is told to come again.
"""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request
from fastapi.routing import APIRoute
from starlette.responses import Response

from api.checks import Checks
from domain.errors import DatabaseUnreachable

T = TypeVar("T")

PATIENCE_SECONDS = 1.0  # by then the sampler has noticed that the database does not answer
FRESH_SECONDS = 1.2  # older news of the database is none: a look may be stuck itself
LOOK_SECONDS = 0.1
MOST_LEFT_BEHIND = 64
SAFE = frozenset({"GET", "HEAD"})  # what changes something must not go on without the one who asked for it


class Bounded:
    """Waits for answers for as long as `checks` say that the database is there."""

    def __init__(self, checks: Checks) -> None:
        self._checks = checks
        self._left: set[asyncio.Task[Any]] = set()

    async def __call__(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of `work`. Raises DatabaseUnreachable where it takes long and the database does not answer."""
        if len(self._left) >= MOST_LEFT_BEHIND and not self._answers():
            work.close()
            raise self._silent()
        task = asyncio.ensure_future(work)
        try:
            await asyncio.wait({task}, timeout=PATIENCE_SECONDS)
            while not task.done() and self._answers():
                await asyncio.wait({task}, timeout=LOOK_SECONDS)
        except asyncio.CancelledError:
            task.cancel()  # the deadline of the request, or its end
            self._leave(task)
            raise
        if not task.done():
            self._leave(task)
            raise self._silent()
        return task.result()

    def _leave(self, task: "asyncio.Task[Any]") -> None:
        self._left.add(task)
        task.add_done_callback(self._forget)

    def _forget(self, task: "asyncio.Task[Any]") -> None:
        self._left.discard(task)
        if not task.cancelled():
            task.exception()

    def _answers(self) -> bool:
        check = self._checks.get("database")
        return check.ok and (self._checks.now() - check.checked_at).total_seconds() < FRESH_SECONDS

    def _silent(self) -> DatabaseUnreachable:
        detail = self._checks.get("database").detail
        return DatabaseUnreachable(f"PostgreSQL: {detail or 'no answer within the deadline'}")


def bounded_route(bounded: Bounded) -> type[APIRoute]:
    """The class of routes whose answers are waited for so."""

    class Route(APIRoute):
        def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
            handler: Callable[[Request], Coroutine[Any, Any, Response]] = super().get_route_handler()
            if not SAFE.issuperset(self.methods or ()):
                return handler

            async def handle(request: Request) -> Response:
                return await bounded(handler(request))

            return handle

    return Route
