"""How far the stream is behind, in events and in seconds: from where topics end and what is stored, without the worker."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

MOST_POINTS = 4096  # per partition; when there are more, half of them are kept, evenly over time


@dataclass(frozen=True, slots=True)
class Lag:
    """Of one partition. `seconds`: the age of its oldest unread event; `at_least`: it is older than we have looked."""

    events: int
    seconds: float
    at_least: bool = False


@dataclass(slots=True)
class LagClock:
    """Remembers when each partition had reached which end, as exactly as it is asked. Times are wall time, seconds."""

    _ends: dict[int, deque[tuple[float, int]]] = field(default_factory=dict)

    def restart(self) -> None:
        """The topic is another one now."""
        self._ends.clear()

    def note(self, now: float, ends: Mapping[int, int]) -> None:
        """Where partitions end now."""
        for partition, end in ends.items():
            points = self._ends.setdefault(partition, deque())
            if not points or end > points[-1][1]:
                points.append((now, end))
                if len(points) > MOST_POINTS:
                    self._ends[partition] = _thinned(points)

    def lags(self, now: float, stored: Mapping[int, int]) -> dict[int, Lag]:
        """Of every partition whose end is known. `stored`: the next offset of each; what is missing was never read."""
        return {partition: self._lag(now, points, stored.get(partition, 0)) for partition, points in self._ends.items()}

    def _lag(self, now: float, points: deque[tuple[float, int]], stored: int) -> Lag:
        """The oldest unread event has the offset `stored`: it was there when the end first lay above that."""
        while len(points) > 1 and points[1][1] <= stored:
            points.popleft()
        end = points[-1][1]
        if end <= stored:
            return Lag(0, 0.0)
        first_at, first_end = points[0]
        if first_end > stored:  # it was there when we first looked
            return Lag(end - stored, now - first_at, at_least=True)
        return Lag(end - stored, now - points[1][0])


def _thinned(points: deque[tuple[float, int]]) -> deque[tuple[float, int]]:
    apart = 2 * (points[-1][0] - points[0][0]) / MOST_POINTS
    kept, newest = deque([points.popleft()]), points.pop()
    for point in points:
        if point[0] - kept[-1][0] >= apart:
            kept.append(point)
    kept.append(newest)
    return kept
