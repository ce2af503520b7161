"""What stands before every route: an id, a caller, limits, a deadline, headers and a count. Plain ASGI, for each call costs."""

import asyncio
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any, cast

import structlog
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import ANYONE, Caller, KeyRing, token_of
from api.limits import Limits, Standing
from api.metrics import Metrics
from api.problems import ApiProblem, overloaded, problem_of, response_of, too_large

log = structlog.get_logger("tripcast.api")

UNLIMITED = frozenset({"/livez", "/readyz"})  # whoever asks for health must be answered
REQUEST_ID = re.compile(rb"[\w.-]{1,64}")
TRACEPARENT = re.compile(rb"00-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
CLIENT_GONE = 499  # nobody reads this status; it is counted apart from answers
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
HEADERS = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"cache-control", b"no-store"),
]
NOTHING_LOADS = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")


@dataclass(frozen=True, slots=True)
class Caps:
    """What one request may cost: bytes of its body, seconds, and how many there may be at once."""

    body_bytes: int
    deadline_seconds: float
    at_once: int


class Front:
    """Wraps the application; see the module."""

    def __init__(self, app: ASGIApp, *, keys: KeyRing, limits: Limits, metrics: Metrics, caps: Caps) -> None:
        self._app, self._keys, self._limits, self._metrics, self._caps = app, keys, limits, metrics, caps
        self._in_flight = 0
        metrics.in_flight.set_function(lambda: self._in_flight)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, whatever happens in it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, exchange = perf_counter(), Exchange(scope, send)
        self._in_flight += 1
        try:
            await self._answer(exchange, receive)
        finally:
            self._in_flight -= 1
            self._metrics.answered(_route(scope), _method(scope), exchange.status, perf_counter() - began)

    async def _answer(self, exchange: "Exchange", receive: Receive) -> None:
        scope = exchange.scope
        try:
            self._admit(exchange)
            async with asyncio.timeout(self._caps.deadline_seconds) as deadline:
                await self._app(scope, exchange.capped(receive, self._caps.body_bytes), exchange.send)
        except ClientDisconnect:
            exchange.status = CLIENT_GONE
        except Exception as error:  # noqa: BLE001 - the last stop: whatever it is, the caller gets a problem and the log its name
            if isinstance(error, TimeoutError) and deadline.expired():
                error = overloaded(f"There was no answer within {self._caps.deadline_seconds:g} s.")
            await exchange.fail(error, receive)

    def _admit(self, exchange: "Exchange") -> None:
        """Raises ApiProblem for whoever may not ask, or not now."""
        scope, headers = exchange.scope, exchange.headers
        path = scope["path"]
        caller = scope["state"]["caller"] = self._caller(exchange, path)
        if path in UNLIMITED:
            return
        exchange.standing = self._limits.hit(_who(caller, scope))
        if self._in_flight > self._caps.at_once:
            raise overloaded(f"{self._caps.at_once} requests are being answered already.")
        length = headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > self._caps.body_bytes:
            raise too_large(self._caps.body_bytes)

    def _caller(self, exchange: "Exchange", path: str) -> Caller:
        """Raises ApiProblem for keys that are none; trying them out counts for the address."""
        headers = exchange.headers
        try:
            return self._keys.caller(token_of(headers.get(b"authorization"), headers.get(b"x-api-key")), path)
        except ApiProblem:
            exchange.standing = self._limits.hit(_who(ANYONE, exchange.scope))
            raise


class Exchange:
    """One request and its answer."""

    __slots__ = ("_headers_out", "_send", "headers", "request_id", "scope", "standing", "started", "status")

    def __init__(self, scope: Scope, send: Send) -> None:
        self.scope, self._send = scope, send
        self.headers: Mapping[bytes, bytes] = dict(scope["headers"])
        self.started, self.status = False, 500
        self.standing: Standing | None = None
        self.request_id = _request_id(self.headers)
        scope.setdefault("state", {})["request_id"] = self.request_id

    async def send(self, message: Message) -> None:
        """Pass on, with our headers at the head."""
        if message["type"] == "http.response.start":
            self.started, self.status = True, message["status"]
            message["headers"] = self._all_headers(list(message.get("headers", ())))
        await self._send(message)

    def capped(self, receive: Receive, most_bytes: int) -> Receive:
        """Raises ApiProblem 413 where the body turns out to be too large, for its length need not be stated."""
        read = 0

        async def next_message() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most_bytes:
                raise too_large(most_bytes)
            return message

        return next_message

    async def fail(self, error: Exception, receive: Receive) -> None:
        """Answer with the error's problem, unless an answer is on its way; what nobody foresaw goes into the log."""
        problem = problem_of(error)
        if problem.status >= 500 and not isinstance(error, ApiProblem):  # noqa: PLR2004
            log.error("request_failed", **self.for_log(), exc_info=error)
        if self.started:
            self.status = 500
            raise error  # the server cuts the connection: half an answer must not look whole
        await response_of(problem, self.request_id)(self.scope, receive, self.send)

    def for_log(self) -> dict[str, Any]:
        """What identifies this request in a log line."""
        trace = TRACEPARENT.fullmatch(self.headers.get(b"traceparent", b""))
        found = {"request_id": self.request_id, "method": _method(self.scope), "route": _route(self.scope)}
        return found | ({"trace_id": trace[1].decode()} if trace else {})

    def _all_headers(self, given: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
        names = {name for name, _ in given}
        given += [header for header in (*HEADERS, NOTHING_LOADS) if header[0] not in names]
        given.append((b"x-request-id", self.request_id.encode()))
        if (trace := self.headers.get(b"traceparent")) is not None and TRACEPARENT.fullmatch(trace):
            given.append((b"traceparent", trace))
        if (standing := self.standing) is not None:
            given += [
                (b"ratelimit-limit", b"%d" % standing.limit),
                (b"ratelimit-remaining", b"%d" % standing.remaining),
                (b"ratelimit-reset", b"%d" % standing.reset),
            ]
        return given


def _request_id(headers: Mapping[bytes, bytes]) -> str:
    """The caller's own, else the trace's, else a new one."""
    own = headers.get(b"x-request-id")
    if own is not None and REQUEST_ID.fullmatch(own):
        return own.decode()
    trace = headers.get(b"traceparent")
    if trace is not None and (found := TRACEPARENT.fullmatch(trace)):
        return found[1].decode()
    return secrets.token_hex(8)


def _who(caller: Caller, scope: Scope) -> str:
    if caller.key_id is not None:
        return caller.key_id
    client = scope.get("client")
    return client[0] if client else "nobody"


def _route(scope: Scope) -> str:
    """The template of the route that took it; `other` where none did."""
    route = getattr(scope.get("route"), "path", None) or scope["state"].get("route")
    return cast("str", route) if route else "other"


def _method(scope: Scope) -> str:
    method = scope["method"]
    return cast("str", method) if method in METHODS else "OTHER"
