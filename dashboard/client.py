"""The board's only way to the system: asks the API and decodes its answers into the contract's types."""

import asyncio
from collections.abc import Mapping
from typing import TypeVar

import httpx
import msgspec

from schemas.http.base import Answer
from schemas.http.problems import Problem

Kind = TypeVar("Kind", bound=Answer)
Value = str | int | float | bool
UNREACHABLE = "The API cannot be reached"
UNREADABLE = "The API answered something unexpected"


class ApiError(Exception):
    """The API could not or would not answer. `title` and `detail` are words for the person in front of the board."""

    def __init__(self, title: str, detail: str, problem: Problem | None = None) -> None:
        super().__init__(title, detail)
        self.title = title
        self.detail = detail
        self.problem = problem


class ApiUnreachable(ApiError):
    """Nothing came back in time."""


class ApiRefused(ApiError):
    """The API answered with a problem; `problem` is that document, where it could be read."""


class Client:
    """Asks the API. One for the whole process; use it as an async context manager."""

    def __init__(self, address: str, key: str | None, seconds: float) -> None:
        self.address = address.rstrip("/")
        self._seconds = seconds
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        limits = httpx.Limits(max_connections=20, max_keepalive_connections=20)
        self._http = httpx.AsyncClient(base_url=self.address, headers=headers, limits=limits, timeout=seconds, trust_env=False)

    async def __aenter__(self) -> "Client":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def get(
        self, path: str, kind: type[Kind], params: Mapping[str, Value | None] | None = None, *, key: str | None = None
    ) -> Kind:
        """The answer to a question. `key` is shown instead of the board's own. Raises ApiUnreachable or ApiRefused."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        response = await self._send("GET", path, params=params, headers=headers)
        return _decoded(response, kind)

    async def newer(self, path: str, kind: type[Kind], params: Mapping[str, Value | None] | None = None) -> Kind | None:
        """The same for a route that answers 204 when there is nothing newer: then None."""
        response = await self._send("GET", path, params=params)
        return None if response.status_code == httpx.codes.NO_CONTENT else _decoded(response, kind)

    async def post(self, path: str, body: msgspec.Struct, kind: type[Kind], *, key: str | None = None) -> Kind:
        """The answer to a request with a body. `key` is shown instead of the board's own. Raises as `get`."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        response = await self._send("POST", path, content=msgspec.json.encode(body), headers=headers)
        return _decoded(response, kind)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, Value | None] | None = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> httpx.Response:
        given = {name: value for name, value in (params or {}).items() if value is not None}
        try:
            async with asyncio.timeout(self._seconds):  # httpx counts its time-out for each step anew
                response = await self._http.request(method, path, params=given, content=content, headers=headers)
        except (httpx.HTTPError, TimeoutError) as error:
            raise ApiUnreachable(UNREACHABLE, f"No answer from {self.address} within {self._seconds:g} s.") from error
        if response.is_error:
            raise _refusal(response)
        return response


def _decoded(response: httpx.Response, kind: type[Kind]) -> Kind:
    try:
        return msgspec.json.decode(response.content, type=kind)
    except msgspec.MsgspecError as error:
        detail = f"{response.request.url.path} is not a {kind.__name__}: are board and API of one version?"
        raise ApiRefused(UNREADABLE, detail) from error


def _refusal(response: httpx.Response) -> ApiRefused:
    try:
        problem = msgspec.json.decode(response.content, type=Problem)
    except msgspec.MsgspecError:
        return ApiRefused(UNREADABLE, f"{response.request.url.path} answered with status {response.status_code}.")
    return ApiRefused(problem.title, problem.detail, problem)
