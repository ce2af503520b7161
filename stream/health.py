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
    _moved: dict[int, tuple[int, float]] = field(default_factory=dict)
    _lag: dict[int, int] = field(default_factory=dict)

    def note(self, lag: Mapping[int, int], next_offsets: Mapping[int, int], *, waiting: bool) -> None:
        """Take in how far each partition is and how many events wait behind it."""
        now = self.clock()
        self._tell_progress(lag, next_offsets, now)
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
        return not stalled, {"alive": not stalled, "stalled_partitions": stalled, "partitions": self.partitions()}

    def partitions(self) -> dict[str, dict[str, float]]:
        """Of each that is ours: the next offset, events behind it when the broker last told, seconds without a move."""
        now = self.clock()
        return {
            str(number): {"next_offset": offset, "lag": self._lag.get(number, 0), "still_seconds": round(now - since, 1)}
            for number, (offset, since) in sorted(self._moved.items())
        }

    def _tell_progress(self, lag: Mapping[int, int], next_offsets: Mapping[int, int], now: float) -> None:
        before, self._lag = self._moved, dict(lag)
        self._moved = {
            number: before[number] if number in before and before[number][0] == offset else (offset, now)
            for number, offset in next_offsets.items()
        }


@dataclass(slots=True)
class Readiness:
    """What the worker cannot do without, and in words what is wrong with each that is missing.

    Two know of it: who looks (`up`, `down`), and work that waits (`waits`, `goes_on`). A database whose disk is full, or
    that is read-only, answers whoever looks; so work that waits for it has the last word.
    `degraded`: what it merely uses and goes on without.
    """

    degraded: dict[str, str] = field(default_factory=dict)
    _looked: dict[str, str] = field(default_factory=lambda: dict.fromkeys(NEEDED, "starting"))
    _waiting: dict[str, tuple[str, str]] = field(default_factory=dict)

    @property
    def missing(self) -> dict[str, str]:
        """What is missing, and why."""
        return self._looked | dict(self._waiting.values())

    def up(self, what: str) -> None:
        """It answers."""
        self._looked.pop(what, None)

    def down(self, what: str, why: str) -> None:
        """It does not."""
        self._looked[what] = why

    def waits(self, stage: str, what: str, why: str) -> None:
        """This work cannot go on without it."""
        self._waiting[stage] = what, why

    def goes_on(self, stage: str) -> None:
        """It does, or is given up."""
        self._waiting.pop(stage, None)

    def parts(self) -> dict[str, bool]:
        """Whether each is there."""
        missing = self.missing
        return {name: name not in missing for name in NEEDED}

    def ready(self) -> Verdict:
        """Not while the database, the broker or a champion is missing."""
        degraded = {"degraded": dict(self.degraded)} if self.degraded else {}
        missing = self.missing
        return not missing, {"ready": not missing, "missing": missing, **degraded}
