"""A head and its body in one write: uvicorn makes two, and each goes through the kernel and wakes who waits for the answer."""

import asyncio
from typing import Any


class JoinedWrites:
    """A transport that keeps one write back until the next one, the end of this turn of the loop, or its closing."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport, self._loop = transport, loop
        self._kept: bytes | None = None
        self._turn: asyncio.Handle | None = None

    def write(self, data: bytes) -> None:
        """Keep the first, send the second with it; so never more than one is kept, and a slow reader is felt as ever."""
        kept = self._take()
        if kept is None:
            self._kept, self._turn = data, self._loop.call_soon(self._flush)
        else:
            self._transport.writelines((kept, data))

    def close(self) -> None:
        """Send what is kept, then close."""
        self._flush()
        self._transport.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - whatever the transport has
        """Everything else is the transport's own."""
        return getattr(self._transport, name)

    def _flush(self) -> None:
        kept = self._take()
        if kept is not None and not self._transport.is_closing():
            self._transport.write(kept)

    def _take(self) -> bytes | None:
        kept, self._kept = self._kept, None
        if self._turn is not None:
            self._turn.cancel()
            self._turn = None
        return kept
