"""What the canary says of itself: alive while it turns, ready while its trips get through."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

BROKER, DATABASE, TRIPS = "broker", "database", "trips"
STALL_SECONDS = 60.0  # beyond the longest that a turn may take

Verdict = tuple[bool, Mapping[str, object]]


@dataclass(slots=True)
class CanaryHealth:
    """`turn_seconds`: the longest that a turn takes that ends as it should."""

    turn_seconds: float
    clock: Callable[[], float] = time.monotonic
    _missing: dict[str, str] = field(default_factory=lambda: dict.fromkeys((BROKER, DATABASE, TRIPS), "starting"))
    _beat: float = field(default_factory=time.monotonic)

    def beat(self) -> None:
        """A turn begins."""
        self._beat = self.clock()

    def up(self, what: str) -> None:
        """It is there."""
        self._missing.pop(what, None)

    def down(self, what: str, why: str) -> None:
        """It is not."""
        self._missing[what] = why

    def nothing_to_do(self) -> None:
        """It is switched off, and so misses nothing."""
        self._missing.clear()

    def parts(self) -> dict[str, bool]:
        """Whether what it needs is there."""
        return {name: name not in self._missing for name in (BROKER, DATABASE)}

    def alive(self) -> Verdict:
        """Not when a turn does not end."""
        alive = self.clock() - self._beat < self.turn_seconds + STALL_SECONDS
        return alive, {"alive": alive}

    def ready(self) -> Verdict:
        """Not while the broker or the database is away, or the last trip did not get through."""
        return not self._missing, {"ready": not self._missing, "missing": dict(self._missing)}
