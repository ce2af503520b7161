"""A server that answers at once with as many bytes as our API: what remains is the cost of the load itself."""

import asyncio
import sys
from typing import cast

import httptools
import uvloop

BODY = b"x" * 420
ANSWER = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)


class AtOnce(asyncio.Protocol):
    """One connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ready to read."""
        self.transport, self.parser = cast("asyncio.Transport", transport), httptools.HttpRequestParser(self)

    def data_received(self, data: bytes) -> None:
        """Parse; the parser calls `on_message_complete`."""
        self.parser.feed_data(data)

    def on_message_complete(self) -> None:
        """A request is there in full."""
        self.transport.write(ANSWER)


async def _serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(AtOnce, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(_serve(int(sys.argv[1])))
