"""The rate of a side that tells its own commits."""

import time
from collections.abc import Callable


class Commits:
    """When how many events were committed."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._commits: list[tuple[float, int]] = []

    def add(self, events: int) -> None:
        """They are committed now."""
        self._commits.append((self._clock(), events))

    @property
    def events(self) -> int:
        """All so far."""
        return sum(count for _, count in self._commits)

    def rate(self) -> dict[str, float]:
        """Events after the first commit over the time since it: start-up counts for nobody. Raises ValueError before two."""
        if len(self._commits) < 2:  # noqa: PLR2004 - a duration has two ends
            raise ValueError(f"no rate from {len(self._commits)} commits")
        events, seconds = sum(count for _, count in self._commits[1:]), self._commits[-1][0] - self._commits[0][0]
        return {
            "events": events,
            "seconds": seconds,
            "commits": len(self._commits),
            "events_per_second": events / seconds,
        }
