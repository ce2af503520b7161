"""What each promise's test says of itself: the fault, what was sent, lost and doubled, and how long recovery took."""

import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.journal import Journal
from tests.running import until

PROPERTY = "promise"


@dataclass(slots=True)
class Report:
    """One test's line. `full`: the sizes of `make chaos`; otherwise the short ones of `make test`, where no time is judged."""

    promise: int
    full: bool
    fault: str = ""
    sent: int = 0
    lost: int = 0
    doubled: int = 0
    recovery_s: float | None = None
    duration_s: float = 0.0
    held: bool = False
    skipped: str = ""  # why it could not be tried on this machine
    measured: dict[str, Any] = field(default_factory=dict)

    def size(self, full: int, short: int) -> int:
        """How many events, seconds or rounds this run takes."""
        return full if self.full else short

    def judged(self, violations: Sequence[str], journal: Journal) -> None:
        """Take in the checker's verdict; raises AssertionError if it names anything."""
        self.sent += len(journal.sent)
        self.lost += sum(violation.startswith(("lost", "unpublished", "unpredicted", "gap")) for violation in violations)
        self.doubled += sum(violation.startswith("twice") for violation in violations)
        assert not violations, f"{len(violations)} violations, the first: {list(violations[:10])}"

    async def recovers(self, condition: Callable[[], Awaitable[bool]], *, promised_s: float, deadline_s: float = 90.0) -> float:
        """Call at the moment of healing: waits until the condition holds, notes the longest such time, judges it if `full`."""
        began = time.monotonic()
        await until(condition, deadline_s)
        took = time.monotonic() - began
        self.recovery_s = max(self.recovery_s or 0.0, round(took, 1))
        if self.full:
            assert took <= promised_s, f"recovered after {took:.1f} s; promised are {promised_s:.0f}"
        return took
