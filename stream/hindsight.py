"""A watermark is acted on a moment after it was reached: partitions that a burst has not reached yet may still be behind."""

import time
from collections import deque


class Hindsight:
    """Remembers watermarks for so many seconds of wall time."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._seen: deque[tuple[float, int]] = deque()
        self._known: int | None = None
        self._newest: int | None = None

    def __call__(self, watermark: int | None) -> int | None:
        """The watermark of `seconds` ago, or the present one if that is lower; None when there was none."""
        now = time.monotonic()
        if watermark is not None and watermark != self._newest:
            self._seen.append((now, watermark))
        self._newest = watermark
        while self._seen and self._seen[0][0] <= now - self._seconds:
            self._known = self._seen.popleft()[1]
        if self._known is None or watermark is None:
            return None
        return min(self._known, watermark)

    @property
    def settled(self) -> bool:
        """Whether the newest watermark is as old as that."""
        return not self._seen
