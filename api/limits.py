"""How often one key, or one address without a key, may ask: a window of a minute, counted by `limits` in this process."""

import time
from dataclasses import dataclass

from limits import RateLimitItemPerMinute
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from api.problems import ApiProblem

MOST_COUNTED = 20_000  # then windows that are over are dropped
TIDY_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a caller stands in its window. `reset` is in seconds from now."""

    limit: int
    remaining: int
    reset: int


class Windows(Storage):
    """Counters in a dictionary. The storage that `limits` brings starts a thread every 10 ms to tidy up, in mid-request."""

    STORAGE_SCHEME = None

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[str, tuple[int, float]] = {}  # count, end of the window
        self._tidied = 0.0

    @property
    def base_exceptions(self) -> type[Exception]:
        """Nothing here fails."""
        return ValueError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, in a new window when the last one is over."""
        now = time.time()
        count, end = self._counts.get(key, (0, 0.0))
        if end <= now:
            self._make_room(now)
            count, end = 0, now + expiry
        self._counts[key] = count + amount, end
        return count + amount

    def get(self, key: str) -> int:
        """The count in the window."""
        count, end = self._counts.get(key, (0, 0.0))
        return count if end > time.time() else 0

    def get_expiry(self, key: str) -> float:
        """When the window ends, seconds since 1970."""
        return self._counts.get(key, (0, time.time()))[1]

    def check(self) -> bool:
        """Always there."""
        return True

    def reset(self) -> int:
        """Forget everything; returns how many windows there were."""
        count = len(self._counts)
        self._counts.clear()
        return count

    def clear(self, key: str) -> None:
        """Forget one."""
        self._counts.pop(key, None)

    def _make_room(self, now: float) -> None:
        if len(self._counts) >= MOST_COUNTED and now - self._tidied > TIDY_SECONDS:
            self._tidied = now
            self._counts = {key: window for key, window in self._counts.items() if window[1] > now}


class Limits:
    """Counts each request of a caller."""

    def __init__(self, requests_a_minute: int) -> None:
        self._item = RateLimitItemPerMinute(requests_a_minute)
        self._windows = Windows()
        self._limiter = FixedWindowRateLimiter(self._windows)

    def hit(self, who: str) -> Standing:
        """Count one more. Raises ApiProblem 429 when it is one too many."""
        allowed = self._limiter.hit(self._item, who)
        standing = self.standing(who)
        if not allowed:
            detail = f"At most {standing.limit} requests a minute; the next may come in {standing.reset} s."
            raise ApiProblem(429, "too-many-requests", "Asked too often", detail, retry_after=standing.reset)
        return standing

    def standing(self, who: str) -> Standing:
        """Where a caller stands, without counting."""
        stats = self._limiter.get_window_stats(self._item, who)
        return Standing(self._item.amount, stats.remaining, max(1, round(stats.reset_time - time.time() + 0.5)))
