"""Health that tells the truth: alive means that partitions with lag move, ready means that nothing it needs is missing."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

STALL_SECONDS = 30.0
NEEDED = ("database", "broker", "champion")

Verdict = tuple[bool, Mapping[str, object]]  # whether all is well, and what is said of it


@dataclass(slots=True)
class Progress:
    """Per partition, since when it has had lag without moving. Waiting for something outside is no stall: see `Readiness`."""

    clock: Callable[[], float] = time.monotonic
    _stuck_since: dict[int, tuple[int, float]] = field(default_factory=dict)

    def note(self, lag: Mapping[int, int], next_offsets: Mapping[int, int], *, waiting: bool) -> None:
        """Take in how far each partition is and how many events wait behind it."""
        now = self.clock()
        before, self._stuck_since = self._stuck_since, {}
        for partition, events in lag.items():
            if events <= 0 or waiting:
                continue
            offset = next_offsets.get(partition, -1)
            known = before.get(partition)
            self._stuck_since[partition] = known if known is not None and known[0] == offset else (offset, now)

    def stalled(self) -> list[int]:
        """Partitions whose offset has not changed for half a minute though events wait."""
        now = self.clock()
        return sorted(number for number, (_, since) in self._stuck_since.items() if now - since > STALL_SECONDS)

    def alive(self) -> Verdict:
        """Not when a partition with lag stands still for 30 s though nothing is missing."""
        stalled = self.stalled()
        return not stalled, {"alive": not stalled, "stalled_partitions": stalled}


@dataclass(slots=True)
class Readiness:
    """What the worker cannot do without, and in words what is wrong with each that is missing.

    `degraded`: what it merely uses and goes on without.
    """

    missing: dict[str, str] = field(default_factory=lambda: dict.fromkeys(NEEDED, "starting"))
    degraded: dict[str, str] = field(default_factory=dict)

    def up(self, what: str) -> None:
        """It answers."""
        self.missing.pop(what, None)

    def down(self, what: str, why: str) -> None:
        """It does not."""
        self.missing[what] = why

    def parts(self) -> dict[str, bool]:
        """Whether each is there."""
        return {name: name not in self.missing for name in NEEDED}

    def ready(self) -> Verdict:
        """Not while the database, the broker or a champion is missing."""
        degraded = {"degraded": dict(self.degraded)} if self.degraded else {}
        return not self.missing, {"ready": not self.missing, "missing": dict(self.missing), **degraded}
