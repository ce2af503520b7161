"""A TCP proxy that can be cut like a cable and healed, so that a test breaks its own way to a server and nobody else's.

In front of Kafka its port must be the listener that the broker advertises, or clients go round it.
"""

import asyncio
from contextlib import suppress

from cli.embedded.ports import HOST

CHUNK_BYTES = 65_536


class Proxy:
    """Listens on `port` and passes everything on to `target`; all methods on one event loop.

    The faults: `cut` (reset, and refused), `swallow` (a black hole), `slow` (a delay in each direction), `abandon` (half-open:
    the far side is gone and nobody has told the near one).
    """

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self.target = target  # may be changed: connections made later lead there
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._far: set[asyncio.StreamWriter] = set()
        self._abandoned: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._delay_seconds = 0.0
        self._passing: set[asyncio.Task[None]] = set()

    async def heal(self) -> None:
        """Accept connections, and pass on what comes, at once. Idempotent."""
        self._delay_seconds = 0.0
        self._flowing.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, HOST, self.port)

    async def swallow(self) -> None:
        """Take everything and pass nothing on, as a network does that drops packets, until healed. Idempotent."""
        self._flowing.clear()

    async def slow(self, seconds: float) -> None:
        """Hold each piece back for so long, in each direction, until healed."""
        self._delay_seconds = seconds

    async def abandon(self) -> None:
        """End the far side of all connections and keep the near one, which hears nothing of it; new connections work."""
        self._abandoned |= self._open - self._far
        for writer in list(self._far):
            writer.transport.abort()

    async def cut(self) -> None:
        """End all connections, and refuse new ones. Idempotent."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self._flowing.set()
        for writer in list(self._open):
            writer.transport.abort()
        if self._passing:
            await asyncio.wait(self._passing)
        self._abandoned.clear()

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._pass_on(reader, writer))
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first = await self._held_back(reader)
        if first is None:
            writer.transport.abort()
            return
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self.target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, far_writer}
        self._far.add(far_writer)
        far_writer.write(first)
        await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))
        self._far.discard(far_writer)
        if writer not in self._abandoned:
            self._open -= {writer, far_writer}

    async def _held_back(self, reader: asyncio.StreamReader) -> bytes | None:
        """What a connection made in a black hole says first: the server hears of it after healing, or never (None)."""
        if self._flowing.is_set():
            return b""
        said = await reader.read(CHUNK_BYTES)
        await self._flowing.wait()
        return None if reader.at_eof() else said

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            while data := await reader.read(CHUNK_BYTES):
                if self._delay_seconds:
                    await asyncio.sleep(self._delay_seconds)
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        if writer in self._abandoned:
            return  # half-open: it waits for an answer that does not come
        writer.transport.abort() if self._server is None else writer.close()
