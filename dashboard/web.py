"""What surrounds the board in HTTP: security headers, limits of what may be asked, and health and metrics for the operator."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from dashboard.calls import Calls
from dashboard.metrics import Metrics

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
OK, BAD_REQUEST, NOT_FOUND, NOT_ALLOWED, TOO_LARGE, OWN_MISTAKE = 200, 400, 404, 405, 413, 500
CALL, FILES = "/_dash-update-component", "/_dash-component-suites/"
CALL_BYTES = 1024 * 1024  # a browser sends back what it knows of a page


def security_headers(script_hashes: Sequence[str]) -> list[tuple[bytes, bytes]]:
    """Nothing comes from elsewhere, and nobody frames us."""
    policy = {
        "default-src": "'self'",
        "script-src": " ".join(("'self'", *script_hashes)),
        "style-src": "'self' 'unsafe-inline'",  # Mantine, Plotly and AG Grid write style elements
        "img-src": "'self' data: blob:",
        "font-src": "'self' data:",  # AG Grid's icons
        "worker-src": "blob:",  # MapLibre makes one of its own text
        "connect-src": "'self' blob: data:",
        "object-src": "'none'",
        "base-uri": "'none'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
    }
    named = {
        "content-security-policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
        "referrer-policy": "no-referrer",
        "cross-origin-opener-policy": "same-origin",
        "permissions-policy": "camera=(), geolocation=(), microphone=()",
    }
    return [(name.encode(), value.encode()) for name, value in named.items()]


class Web:
    """Wraps the board: adds the headers to every answer, and answers what is not for browsers itself."""

    def __init__(self, board: Application, calls: Calls, metrics: Metrics, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self._board = board
        self._calls = calls
        self._metrics = metrics
        self._headers = list(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._board(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                status = message["status"]
                if status == OWN_MISTAKE and scope["path"].startswith(FILES):
                    status = NOT_FOUND  # Dash raises where a library has no such file
                self._metrics.answered(status)
                message = {**message, "status": status, "headers": [*message.get("headers", []), *self._headers]}
            await send(message)

        match scope["path"]:
            case path if scope["method"] not in ({"POST"} if path == CALL else {"GET", "HEAD"}):
                await _answer(with_headers, b"method not allowed", b"text/plain", status=NOT_ALLOWED)
            case path if path == CALL:
                await self._call(scope, receive, with_headers)
            case "/livez":
                await _answer(with_headers, b'{"alive":true}', b"application/json")
            case "/metrics":
                await _answer(with_headers, self._metrics.text(), b"text/plain; version=0.0.4; charset=utf-8")
            case path if _is_no_page(path):
                await _answer(with_headers, b"not found", b"text/plain", status=NOT_FOUND)
            case _:
                await self._board(scope, receive, with_headers)

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on a call of a callback, once it is known to be one."""
        body = await _whole(receive)
        if body is None:
            await _answer(send, b"too large", b"text/plain", status=TOO_LARGE)
        elif not self._calls.fit(body):
            await _answer(send, b"not a call of this board", b"text/plain", status=BAD_REQUEST)
        else:
            await self._board(scope, _first(body, receive), send)


async def _whole(receive: Receive) -> bytes | None:
    """The body, or None when it has more than CALL_BYTES or its sender is gone."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message.get("body", b""), message.get("more_body", False)
        if len(body) > CALL_BYTES or message["type"] != "http.request":
            return None
    return body


def _first(body: bytes, receive: Receive) -> Receive:
    """The body in one piece, then whatever comes."""
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def next_message() -> Message:
        return left.pop() if left else await receive()

    return next_message


def _is_no_page(path: str) -> bool:
    """Dash answers every address with its page, also those that only machines and old browsers ask for."""
    return path in {"/openapi.json", "/docs", "/redoc", "/docs/oauth2-redirect", "/robots.txt"}


async def _answer(send: Send, body: bytes, kind: bytes, status: int = OK) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
