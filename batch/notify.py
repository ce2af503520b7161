"""Tell people what they should know of: once, in order, and without consequence for anything else when nobody listens."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

import structlog

from domain.entities.models import LifecycleEvent
from domain.errors import ConcurrentUpdate, TripcastError, Unreachable

log = structlog.get_logger("tripcast.notifier")

PAUSE_SECONDS = 30.0  # after the webhook or the database did not answer

HEADLINES = {
    "drift.confirmed": "Drift confirmed",
    "feed.fault": "The feed is at fault",
    "feed.healed": "The feed is well again",
    "retraining.held": "A training needs your approval",
    "retraining.finished": "A training was refused",
    "retraining.failed": "A training failed",
    "model.promoted": "A new champion",
    "model.rolled_back": "Rolled back",
    "worker.stalled": "The worker stands still",
    "worker.resumed": "The worker goes on",
}


class Untold(Protocol):
    """Events that people have not been told of. Raises DatabaseUnreachable."""

    async def next(self, kinds: Sequence[str], limit: int = 50) -> Sequence[tuple[int, LifecycleEvent, bool]]:
        """Events of these kinds in order, each with its id, and whether it repeats one of the hour before it."""
        ...

    async def told(self, event_id: int) -> None:
        """Everything up to this event is dealt with. Idempotent."""
        ...


@dataclass(frozen=True, slots=True)
class Notify:
    """`post` sends one text, blocking; `alone` keeps other notifiers out, or raises ConcurrentUpdate."""

    untold: Untold
    post: Callable[[str], None]
    alone: Callable[[], AbstractAsyncContextManager[None]]
    poll_seconds: float

    async def __call__(self) -> None:
        """Run until cancelled; whatever fails is tried again later."""
        while True:
            pause = self.poll_seconds
            try:
                async with self.alone():
                    await self.tell()
            except ConcurrentUpdate:  # another trainer tells
                pass
            except Unreachable as error:
                log.warning("notification_waits", error=str(error))
                pause = max(pause, PAUSE_SECONDS)
            await asyncio.sleep(pause)

    async def tell(self) -> None:
        """Tell what is untold now. Raises Unreachable; what was told by then is not told again."""
        for event_id, event, repeated in await self.untold.next(list(HEADLINES)):
            text = None if repeated else words(event)
            if text is not None:
                await self._post(text, event)
            await self.untold.told(event_id)

    async def _post(self, text: str, event: LifecycleEvent) -> None:
        try:
            await asyncio.to_thread(self.post, text)
        except Unreachable:
            raise
        except TripcastError as error:  # it would be refused again; the next one may not be
            log.warning("notification_refused", kind=event.kind, subject=event.subject, error=str(error))


def words(event: LifecycleEvent) -> str | None:
    """What people read; None for what is no news."""
    if event.kind == "retraining.finished" and event.details.get("outcome") != "refused":
        return None
    if event.kind == "retraining.held" and "approv" not in event.reason:  # the others end by themselves
        return None
    reason = event.details.get("why") or event.reason
    return f"{HEADLINES[event.kind]}: {event.subject}. {reason} (by {event.actor}, {event.at:%Y-%m-%d %H:%M} UTC)"
