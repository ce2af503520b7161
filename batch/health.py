"""Health of the trainer by its progress: each of its loops turns, or waits for what is away, or a training runs for it."""

import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field

STALL_SECONDS = 180.0  # an attempt has deadlines of half a minute, and half a minute's rest at most

Verdict = tuple[bool, Mapping[str, object]]  # whether all is well, and what is said of it


@dataclass(slots=True)
class Pulse:
    """`training` tells whether a training process runs now."""

    training: Callable[[], bool] = field(default=lambda: False)
    clock: Callable[[], float] = time.monotonic
    _beats: dict[str, float] = field(default_factory=dict)
    _waits: dict[str, str] = field(default_factory=lambda: {"database": "starting"})

    def beat(self, loop: str) -> None:
        """A loop turns, or tries again."""
        self._beats[loop] = self.clock()

    def ended(self, loop: str) -> None:
        """A loop has nothing more to do."""
        self._beats.pop(loop, None)

    def waits(self, what: str, why: str) -> None:
        """Something is away or busy."""
        self._waits[what] = why

    def goes_on(self, what: str) -> None:
        """It is there."""
        self._waits.pop(what, None)

    def alive(self) -> Verdict:
        """Not when a loop has stood still for STALL_SECONDS, unless its training is running."""
        now, trains = self.clock(), self.training()
        stalled = sorted(loop for loop, at in self._beats.items() if now - at > STALL_SECONDS)
        alive = not stalled or trains
        return alive, {"alive": alive, "stalled": stalled, "training": trains}

    def ready(self) -> Verdict:
        """Not while it waits for something outside."""
        return not self._waits, {"ready": not self._waits, "missing": dict(self._waits)}


@dataclass(frozen=True, slots=True)
class Beating:
    """Whose patience it is: see `batch.patience`. `loop` None: it has no beat."""

    pulse: Pulse
    loop: str | None


beating: ContextVar[Beating | None] = ContextVar("beating", default=None)  # of the task that runs
