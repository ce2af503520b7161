"""What pages read from the API, once for all browsers: twenty viewers of a page cost the API what one does."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic
from typing import Any, Generic, TypeVar

from dashboard.client import ApiError, Client, Value

Kind = TypeVar("Kind")
FIRST_SECONDS = 0.7  # what a page waits for its first answer before it shows that it is waiting
AGAIN_SECONDS = 2.0  # after an answer that did not come
MOST = 64  # questions that are remembered; the one asked longest ago is forgotten first


@dataclass(frozen=True, slots=True)
class Ask(Generic[Kind]):
    """A question: where, for what, and how old its answer may be, in seconds."""

    path: str
    kind: type[Kind]
    every_seconds: float
    params: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True, slots=True)
class Reading(Generic[Kind]):
    """The newest answer, and when it came (wall time). `trouble`: why there is no newer one. `version` counts changes."""

    data: Kind | None = None
    as_of: datetime | None = None
    trouble: str | None = None
    version: int = 0


@dataclass(slots=True)
class _Kept:
    reading: Reading[Any] = field(default_factory=Reading)
    asked_at: float | None = None
    running: asyncio.Task[None] | None = None


class Readings:
    """Answers stay while the API is away. At most one request for a question is on its way at any time."""

    def __init__(
        self, client: Client, *, clock: Callable[[], float] = monotonic, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._client = client
        self._clock = clock
        self._now = now
        self._kept: dict[Ask[Any], _Kept] = {}

    async def get(self, ask: Ask[Kind], *, wait_seconds: float = FIRST_SECONDS) -> Reading[Kind]:
        """The newest answer. An old one is asked for anew, which is awaited only where there is none or a very old one."""
        kept = self._kept.pop(ask, None) or _Kept()
        self._kept[ask] = kept  # the newest last
        self._forget()
        age = None if kept.asked_at is None else self._clock() - kept.asked_at
        due = ask.every_seconds if kept.reading.trouble is None else min(ask.every_seconds, AGAIN_SECONDS)
        if kept.running is None and (age is None or age >= due):
            kept.asked_at = self._clock()
            kept.running = asyncio.create_task(self._ask(ask, kept))
        if kept.running is not None and (kept.reading.version == 0 or age is None or age > 3 * ask.every_seconds):
            await asyncio.wait({kept.running}, timeout=wait_seconds)
        return kept.reading

    def forget(self, path: str) -> None:
        """Ask anew next time: something was done that changes these answers."""
        for ask, kept in self._kept.items():
            if ask.path == path:
                kept.asked_at = None

    def _forget(self) -> None:
        for ask in [ask for ask, kept in self._kept.items() if kept.running is None][: max(0, len(self._kept) - MOST)]:
            del self._kept[ask]

    async def _ask(self, ask: Ask[Any], kept: _Kept) -> None:
        before = kept.reading
        try:
            data = await self._client.get(ask.path, ask.kind, _params(ask))
        except ApiError as error:
            trouble = f"{error.title.rstrip('.')}. {error.detail}"
            kept.reading = Reading(before.data, before.as_of, trouble, before.version + (trouble != before.trouble))
        else:
            changed = before.trouble is not None or data != before.data
            kept.reading = Reading(data, self._now(), None, before.version + changed)
        finally:
            kept.running = None


def _params(ask: Ask[Any]) -> Mapping[str, Value | None]:
    return dict(ask.params)
