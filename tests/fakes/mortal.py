"""Parts that die instead of a write, to see what the next one finds."""

from dataclasses import dataclass
from datetime import UTC, datetime

from domain.entities.models import Alias, LifecycleEvent
from tests.fakes.journal import InMemoryJournal
from tests.fakes.registry import InMemoryRegistry


class Killed(BaseException):
    """SIGKILL: nothing of ours runs after it."""


@dataclass
class MortalRegistry(InMemoryRegistry):
    """Dies instead of the write after `writes_left` more."""

    writes_left: int = 1000

    def set_alias(self, alias: Alias, version: int) -> None:
        self._write()
        super().set_alias(alias, version)

    def drop_alias(self, alias: Alias) -> None:
        self._write()
        super().drop_alias(alias)

    def _write(self) -> None:
        if self.writes_left == 0:
            raise Killed
        self.writes_left -= 1


@dataclass
class MortalJournal(InMemoryJournal):
    """Dies instead of a record."""

    dies: bool = False

    async def record(self, event: LifecycleEvent) -> None:
        if self.dies:
            raise Killed
        await super().record(event)


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 3, 1, tzinfo=UTC)
