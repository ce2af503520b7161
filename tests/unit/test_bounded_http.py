"""What our HTTP protocol adds between a socket and an application: one write an answer."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import uvicorn
from uvicorn.server import ServerState

from adapters.health.bounded_http import BoundedHttp

REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
START = {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]}
Respond = Callable[[Any, Any], Any]


@dataclass
class Socket:
    """A transport that remembers each write."""

    writes: list[bytes] = field(default_factory=list)
    closed: bool = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def writelines(self, parts: tuple[bytes, ...]) -> None:
        self.writes.append(b"".join(parts))

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, _: str) -> None:
        return None

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


def protocol(respond: Respond, state: ServerState | None = None) -> tuple[BoundedHttp, Socket]:
    """A connection to an application that does nothing but respond."""

    async def application(scope: Any, _receive: Any, send: Any) -> None:
        await respond(scope, send)

    config = uvicorn.Config(application, http=BoundedHttp, ws="none", lifespan="off", log_config=None, access_log=False)
    config.load()
    made, socket = BoundedHttp(config, state or ServerState(), {}), Socket()
    made.connection_made(cast("asyncio.Transport", socket))
    return made, socket


async def whole(_scope: Any, send: Any) -> None:
    await send(START)
    await send({"type": "http.response.body", "body": b"four"})


async def answered(made: BoundedHttp) -> None:
    await asyncio.gather(*made.tasks)


async def test_head_and_body_are_one_write() -> None:
    made, socket = protocol(whole)
    for count in (1, 2):
        made.data_received(REQUEST)
        await answered(made)
        assert len(socket.writes) == count
        assert socket.writes[-1].endswith(b"\r\n\r\nfour")
    made.connection_lost(None)


async def test_a_head_whose_body_is_late_does_not_wait_for_it() -> None:
    late = asyncio.Event()

    async def respond(_scope: Any, send: Any) -> None:
        await send(START)
        await late.wait()
        for body in (b"fo", b"ur"):
            await send({"type": "http.response.body", "body": body, "more_body": body == b"fo"})

    made, socket = protocol(respond)
    made.data_received(REQUEST)
    for _ in range(3):
        await asyncio.sleep(0)
    assert [write.endswith(b"\r\n\r\n") for write in socket.writes] == [True]
    late.set()
    await answered(made)
    await asyncio.sleep(0)
    assert b"".join(socket.writes[1:]) == b"four"
    made.connection_lost(None)


async def test_what_is_kept_leaves_before_the_connection_closes() -> None:
    made, socket = protocol(whole)
    made.data_received(b"this is no request\r\n\r\n")
    assert socket.closed
    assert [write.split(b"\r\n")[0] for write in socket.writes] == [b"HTTP/1.1 400 Bad Request"]


async def test_nothing_is_written_after_the_connection_was_closed_by_others() -> None:
    made, socket = protocol(whole)
    made.transport.write(b"half")
    socket.closed = True
    await asyncio.sleep(0)
    assert socket.writes == []
    made.connection_lost(None)
