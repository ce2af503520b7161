"""Raw HTTP as no client library sends it: refused by name or cut off, and the next caller is answered."""

import asyncio
import gzip
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from adapters.environment.settings import PostgresSettings
from adapters.health import bounded_http
from adapters.health.bounded_http import HEAD_BYTES, BoundedHttp
from adapters.postgres.api.keys import ApiKeys
from adapters.postgres.connection.pool import open_pool
from domain.entities.api_keys import new_key
from tests.api_process import ApiProcess, api_process
from tests.serving import TRIP

BODY_BYTES = 4096
KEY = new_key()
HOST = b"POST /predict HTTP/1.1\r\nHost: x\r\nX-API-Key: " + KEY.token.encode() + b"\r\n"
JSON = b"Content-Type: application/json\r\n"
LAST = b"Connection: close\r\n\r\n"


async def raw(address: str, *parts: bytes, seconds: float = 10) -> bytes:
    """All that comes back until the other side hangs up or is silent."""
    host, _, port = address.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    answer = b""
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(seconds):
            while more := await reader.read(65536):
                answer += more
    except (ConnectionError, TimeoutError):
        pass
    finally:
        writer.close()
    return answer


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1]) if answer else 0


@pytest.fixture
async def api(database: str, tmp_path: Path) -> AsyncIterator[ApiProcess]:
    pool = await open_pool(PostgresSettings(database=database))
    await ApiKeys(pool).add(KEY, "attacker", operator=False)
    await pool.close()
    settings = {"TRIPCAST_API_KEYS": "always", "TRIPCAST_API_BODY_BYTES": str(BODY_BYTES), "TRIPCAST_API_DEADLINE_SECONDS": "1"}
    async with api_process(database, tmp_path, TRIPCAST_API_RATE="1000", **settings) as running:
        yield running
    text = running.log.read_text()
    assert "request_failed" not in text
    assert "Traceback" not in text
    assert KEY.token not in text


async def test_what_is_not_a_request_gets_no_5xx_and_what_has_no_end_is_cut_off(api: ApiProcess) -> None:
    body = json.dumps(TRIP).encode()
    packed = gzip.compress(body)
    whole = JSON + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body
    assert status(await raw(api.address, HOST + whole)) == 200
    asked = {
        "nothing": (b"\r\n\r\n\r\n", {0, 400}),
        "noise": (bytes(range(256)) * 10, {0, 400}),
        "TLS": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200, {0, 400}),
        "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", {0, 400, 405, 505}),
        "a path that is not text": (b"GET /\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", {400, 401}),
        "a path out of the house": (b"GET /assets/../../../../etc/passwd HTTP/1.1\r\nHost: x\r\n" + LAST, {401, 404}),
        "the same, encoded": (b"GET /assets/%2e%2e/%2e%2e/etc/passwd HTTP/1.1\r\nHost: x\r\n" + LAST, {401, 404}),
        "CONNECT": (b"CONNECT 127.0.0.1:22 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", {400, 401, 404, 405}),
        "TRACE": (b"TRACE / HTTP/1.1\r\nHost: x\r\nCookie: secret\r\nConnection: close\r\n\r\n", {405}),
        "a websocket": (
            b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n",
            {200, 400, 426},
        ),
        "two lengths": (HOST + JSON + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", {400}),
        "a length and chunks": (HOST + JSON + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", {400}),
        "a negative length": (HOST + JSON + b"Content-Length: -1\r\n\r\n", {400}),
        "a length without end": (HOST + JSON + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n", {400}),
        "a length over the cap": (HOST + JSON + b"Content-Length: %d\r\n\r\n" % (BODY_BYTES + 1), {413}),
        "gzip": (
            HOST + JSON + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n" % len(packed) + LAST + packed,
            {415, 422},
        ),
        "no content type": (HOST + b"Content-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body, {200, 415, 422}),
        "a key in the address": (
            b"GET /model/info?api_key=" + KEY.token.encode() + b"&key=x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
            {401},
        ),
        "a key of 60,000 characters": (
            b"GET /model/info HTTP/1.1\r\nHost: x\r\nX-API-Key: " + b"x" * 60_000 + b"\r\nConnection: close\r\n\r\n",
            {401},
        ),
    }  # fmt: skip
    answers = await asyncio.gather(*(raw(api.address, content, seconds=2) for content, _ in asked.values()))
    found = {name: (status(answer), good) for (name, (_, good)), answer in zip(asked.items(), answers, strict=True)}
    assert {name: got for name, (got, good) in found.items() if got not in good} == {}
    assert status(await raw(api.address, HOST + whole)) == 200

    await _cut_off(api)


async def _cut_off(api: ApiProcess) -> None:
    """Bodies and heads without an end."""
    chunk = b"1000\r\n" + b" " * 4096 + b"\r\n"
    endless = await raw(api.address, HOST + JSON + b"Transfer-Encoding: chunked\r\n\r\n", *[chunk] * 3, seconds=2)
    assert status(endless) == 413
    stalled = await raw(api.address, HOST + JSON + b"Content-Length: 100\r\n\r\n{", seconds=2.5)
    assert (status(stalled), b"retry-after: 1" in stalled.lower()) == (503, True)
    for begun, more in ((b"GET / HTTP/1.1\r\nHost: x\r\n", b"X: y\r\n"), (b"GET / HTTP/1.1\r\nX: ", b"v"), (b"GET /", b"v")):
        head = (begun + more * HEAD_BYTES)[: HEAD_BYTES + 1]
        assert status(await raw(api.address, head)) == 431
    assert (await api.get("/livez"))[0] == 200


@asynccontextmanager
async def answering() -> AsyncIterator[str]:
    """A server of ours whose application answers before it reads."""

    async def application(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    config = uvicorn.Config(application, port=0, http=BoundedHttp, ws="none", lifespan="off", log_config=None, access_log=False)
    server = uvicorn.Server(config)
    server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn tells nobody
        await asyncio.sleep(0)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await serving


@pytest.mark.parametrize(
    "sent",
    [
        (),
        (b"GET / HT",),
        (b"GET / HTTP/1.1\r\nHost: x\r\n",),
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", b"GET / HT"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{",),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n",),
    ],
)
async def test_who_does_not_go_on_is_hung_up_on(monkeypatch: pytest.MonkeyPatch, sent: tuple[bytes, ...]) -> None:
    monkeypatch.setattr(bounded_http, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(bounded_http, "BODY_SECONDS", 0.3)
    async with answering() as address:
        began = time.monotonic()
        answer = await raw(address, *sent)
        assert time.monotonic() - began < 5  # of the 10 for which the client would have waited
        assert answer.count(b"200 OK") == sum(b"\r\n\r\n" in part for part in sent)


async def test_who_goes_on_is_not_hung_up_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded_http, "HEAD_SECONDS", 0.2)
    monkeypatch.setattr(bounded_http, "BODY_SECONDS", 0.2)
    async with answering() as address, httpx.AsyncClient(base_url=f"http://{address}") as client:
        for _ in range(3):
            assert (await client.post("/", content=b"x" * HEAD_BYTES * 3)).text == "ok"
            await asyncio.sleep(0.3)  # an idle connection between two requests is kept
        assert len(client._transport._pool.connections) == 1  # type: ignore[attr-defined]
