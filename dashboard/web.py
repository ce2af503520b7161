"""What surrounds the board in HTTP: security headers, and health and metrics for the operator."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from dashboard.metrics import Metrics

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]
OK, NOT_FOUND = 200, 404


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

    def __init__(self, board: Application, metrics: Metrics, headers: Sequence[tuple[bytes, bytes]]) -> None:
        self._board = board
        self._metrics = metrics
        self._headers = list(headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._board(scope, receive, send)
            return

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.answered(message["status"])
                message = {**message, "headers": [*message.get("headers", []), *self._headers]}
            await send(message)

        match scope["path"]:
            case "/livez":
                await _answer(with_headers, b'{"alive":true}', b"application/json")
            case "/metrics":
                await _answer(with_headers, self._metrics.text(), b"text/plain; version=0.0.4; charset=utf-8")
            case path if _is_no_page(path):
                await _answer(with_headers, b"not found", b"text/plain", status=NOT_FOUND)
            case _:
                await self._board(scope, receive, with_headers)


def _is_no_page(path: str) -> bool:
    """Dash answers every address with its page, also those that only machines and old browsers ask for."""
    return path in {"/openapi.json", "/docs", "/redoc", "/docs/oauth2-redirect", "/robots.txt"}


async def _answer(send: Send, body: bytes, kind: bytes, status: int = OK) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
