"""HTTP whose request heads end: uvicorn reads one of any size for any time, on as many connections as there are."""

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from adapters.health.joined_writes import JoinedWrites

HEAD_BYTES = 64 * 1024  # of a request's line and headers
HEAD_SECONDS = 10.0  # until they are there, also on a connection that says nothing
BODY_SECONDS = 5.0  # for what is left of a body whose request was answered already
TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class BoundedHttp(HttpToolsProtocol):
    """Hangs up on heads that are too large or do not come, and on bodies that nobody reads any more."""

    _timer: asyncio.TimerHandle | None = None
    _head_bytes = 0  # of a head that is not whole yet
    _in_head = True

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        """The first request must come in time."""
        super().connection_made(cast("asyncio.Transport", JoinedWrites(transport, self.loop)))
        self._hang_up_after(HEAD_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is left to wait for."""
        self._go_on()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """At most HEAD_BYTES, and one chunk of the socket, are kept of a head."""
        super().data_received(data)
        if self._in_head and not self.transport.is_closing():
            self._head_bytes += len(data)
            if self._head_bytes > HEAD_BYTES:
                self.transport.write(TOO_LARGE)
                self.transport.close()

    def on_message_begin(self) -> None:
        """A head begins."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self._hang_up_after(HEAD_SECONDS)

    def on_headers_complete(self) -> None:
        """The head is whole; how long the answer may take is the application's affair."""
        self._in_head, self._head_bytes = False, 0
        self._go_on()
        super().on_headers_complete()

    def on_response_complete(self) -> None:
        """A request that was answered before it was read to its end must end."""
        super().on_response_complete()
        if self.cycle.more_body:
            self._hang_up_after(BODY_SECONDS)

    def on_message_complete(self) -> None:
        """The request is read."""
        self._go_on()
        super().on_message_complete()
        if self.cycle.response_complete:
            self.cycle.more_body = False

    def _hang_up_after(self, seconds: float) -> None:
        self._go_on()
        self._timer = self.loop.call_later(seconds, self._hang_up)

    def _go_on(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _hang_up(self) -> None:
        transport: Any = self.transport
        transport.abort()
