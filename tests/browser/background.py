"""An event loop in a thread of its own: while a browser is driven, the test's thread can run none."""

import asyncio
from collections.abc import Coroutine
from threading import Thread
from typing import Any, TypeVar

T = TypeVar("T")
DEADLINE_SECONDS = 90.0


class Background:
    """Runs coroutines for a synchronous test. Use as a context manager."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = Thread(target=self.loop.run_forever, name="background", daemon=True)

    def __enter__(self) -> "Background":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def run(self, work: Coroutine[Any, Any, T], deadline: float = DEADLINE_SECONDS) -> T:
        """Its result; raises what it raised."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(deadline)
