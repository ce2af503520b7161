"""`tripcast up --once`: when everything is drained, and what there is to say then."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cli.stack.units import State, Unit, Work
from domain.entities.streams import Position
from domain.errors import PartFailed

EVERY_SECONDS = 1.0
STALLED_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Progress:
    """Numbers of events over all partitions: not handled yet, handled but not published yet, handled."""

    behind: int
    unpublished: int
    events: int


def behind(positions: Mapping[int, Position], end_offsets: Mapping[int, int]) -> int:
    """Events that wait over all partitions; a position read after its end offset may lie above it, which is no debt."""
    nexts = {number: position.next_offset for number, position in positions.items()}
    return sum(max(0, end - nexts.get(number, 0)) for number, end in end_offsets.items())


class Drain:
    """Watches until the source has ended and the worker has handled and published all of it."""

    def __init__(self, source: Unit, read: Callable[[], Progress | None]) -> None:
        self._source, self._read = source, read
        self._work: Work | None = None
        self._latest: Progress | None = None
        self._began: float | None = None
        self._moved = self._next = time.monotonic()

        self._ended: float | None = None

    @property
    def seconds(self) -> float:
        """From the source's start until all was drained."""
        ended = self._ended or time.monotonic()
        return ended - (self._began or ended)

    @property
    def events(self) -> int:
        """All events that the worker has handled."""
        return self._latest.events if self._latest else 0

    @property
    def events_per_second(self) -> float:
        """Publishing, scoring and storing side by side: what this machine does with everything on it."""
        return round(self.events / self.seconds, 1) if self.seconds > 0 else 0.0

    def is_done(self) -> bool:
        """Whether all is drained; reads in the background. Raises PartFailed when nothing has moved for three minutes."""
        if self._began is None and self._source.state is not State.WAITING:
            self._began = time.monotonic()
        if self._source.state is not State.ENDED:
            self._moved = time.monotonic()
            return False
        if (self._work is None or self._work.done()) and time.monotonic() >= self._next:
            self._next = time.monotonic() + EVERY_SECONDS
            self._work = Work(self._refresh)
        self._refuse_to_stall()
        drained = self._latest is not None and self._latest.behind == 0 and self._latest.unpublished == 0
        self._ended = time.monotonic() if drained else None
        return drained

    def _refresh(self) -> None:
        found = self._read()
        if found is not None and found != self._latest:
            self._latest, self._moved = found, time.monotonic()

    def _refuse_to_stall(self) -> None:
        if time.monotonic() - self._moved > STALLED_SECONDS:
            raise PartFailed(f"nothing has moved for {STALLED_SECONDS:.0f} s, though not all is drained: {self._latest}")
