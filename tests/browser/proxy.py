"""A TCP proxy that can be cut like a cable and healed, so that a test breaks its own way to a server and nobody else's."""

import asyncio
from contextlib import suppress

from cli.embedded.ports import HOST

CHUNK_BYTES = 65_536


class Proxy:
    """Listens on `port` and passes everything on to `target`; all methods on one event loop."""

    def __init__(self, port: int, target: int) -> None:
        self.port = port
        self._target = target
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._passing: set[asyncio.Task[None]] = set()

    async def heal(self) -> None:
        """Accept connections, and pass on what comes. Idempotent."""
        self._flowing.set()
        if self._server is None:
            self._server = await asyncio.start_server(self._accept, HOST, self.port)

    async def swallow(self) -> None:
        """Take everything and pass nothing on, as a network does that drops packets, until healed. Idempotent."""
        self._flowing.clear()

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

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._pass_on(reader, writer))
        self._passing.add(task)
        task.add_done_callback(self._passing.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            far_reader, far_writer = await asyncio.open_connection(HOST, self._target)
        except OSError:
            writer.transport.abort()
            return
        self._open |= {writer, far_writer}
        await asyncio.gather(self._copy(reader, far_writer), self._copy(far_reader, writer))
        self._open -= {writer, far_writer}

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.CancelledError):
            while data := await reader.read(CHUNK_BYTES):
                await self._flowing.wait()
                writer.write(data)
                await writer.drain()
        writer.transport.abort() if self._server is None else writer.close()
