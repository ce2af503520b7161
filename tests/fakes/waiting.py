"""Wall time for tests: it passes only while someone waits, and then at once."""


class FakeWaiting:
    """See cli.sources.pace.Waiting. `stop_at`: the second at which someone asks to stop."""

    def __init__(self, stop_at: float = float("inf")) -> None:
        self.now = 0.0
        self.stop_at = stop_at

    @property
    def stopped(self) -> bool:
        return self.now >= self.stop_at

    def seconds(self) -> float:
        return self.now

    async def wait(self, seconds: float) -> None:
        self.now = min(self.now + seconds, max(self.stop_at, self.now))
