"""MLflow's documented REST API over plain HTTP, with deadlines.

Processes that score use this instead of `mlflow.MlflowClient`, whose import costs 168 MB of memory and 3 s.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

import msgspec
import urllib3
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import Timeout, Url, make_headers, parse_url

from domain.errors import InvalidInput, RegistryUnreachable

API = "/api/2.0"
CHUNK_BYTES = 1 << 18
SUCCESS = range(200, 300)
REFUSALS = range(400, 500)
TOO_MANY_REQUESTS = 429

Answer = TypeVar("Answer")


class Refused(Exception):
    """The server understood and said no; `code` is MLflow's error code, for example RESOURCE_DOES_NOT_EXIST."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(f"{status} {code} {message}".strip())
        self.code = code


class _Problem(msgspec.Struct):
    error_code: str = ""
    message: str = ""


@dataclass(frozen=True, slots=True)
class MlflowRest:
    """Raises RegistryUnreachable when an answer is not complete within `seconds`, and Refused.

    `address` may carry a user and a password, `https://user:password@host`.
    """

    address: str
    seconds: float = 10.0
    _http: urllib3.PoolManager = field(default_factory=lambda: urllib3.PoolManager(maxsize=2, retries=False))

    def __post_init__(self) -> None:
        self._url()

    def get(self, path: str, answer: type[Answer], **query: str) -> Answer:
        """GET, decoded into `answer`."""
        content = b"".join(self._request("GET", path, self.seconds, query=query))
        try:
            return msgspec.json.decode(content, type=answer, strict=False)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise self._unreachable("answers with something that is not MLflow's API") from error

    def send(self, method: str, path: str, body: Mapping[str, str]) -> None:
        """POST or DELETE a JSON body; the answer's content does not matter."""
        for _ in self._request(method, path, self.seconds, body=msgspec.json.encode(body)):
            pass

    def stream(self, path: str, seconds: float) -> Iterator[bytes]:
        """GET in chunks, complete within `seconds`; no single wait is longer than the client's own deadline."""
        return self._request("GET", path, seconds)

    def _request(
        self, method: str, path: str, seconds: float, query: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> Iterator[bytes]:
        ends = time.monotonic() + seconds
        url = self._url()
        headers = {"Content-Type": "application/json", **(make_headers(basic_auth=url.auth) if url.auth else {})}
        target = f"{url._replace(auth=None).url.rstrip('/')}{API}{path}"
        waits = Timeout(connect=min(self.seconds, 5.0), read=self.seconds)
        try:
            response = self._http.request(
                method, target, fields=query, body=body, headers=headers, timeout=waits, preload_content=False, redirect=False
            )
            with response:
                self._check(response)
                yield from self._chunks(response, ends)
        except HTTPError as error:
            raise self._unreachable(f"does not answer ({type(error).__name__})") from error

    def _check(self, response: urllib3.BaseHTTPResponse) -> None:
        if response.status in SUCCESS:
            return
        if response.status not in REFUSALS or response.status == TOO_MANY_REQUESTS:
            raise self._unreachable(f"answers with status {response.status}")
        try:
            problem = msgspec.json.decode(response.read(CHUNK_BYTES), type=_Problem)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise self._unreachable(f"answers with status {response.status}") from None
        raise Refused(response.status, problem.error_code, problem.message)

    def _chunks(self, response: urllib3.BaseHTTPResponse, ends: float) -> Iterator[bytes]:
        for chunk in response.stream(CHUNK_BYTES):
            yield chunk
            if time.monotonic() > ends:
                raise self._unreachable("does not finish its answer in time")

    def _url(self) -> Url:
        try:
            url = parse_url(self.address)
        except LocationParseError as error:
            raise InvalidInput("TRIPCAST_MLFLOW is not an address such as http://127.0.0.1:5000") from error
        if url.scheme not in {"http", "https"} or not url.host:
            raise InvalidInput("TRIPCAST_MLFLOW is not an address such as http://127.0.0.1:5000")
        return url

    def _unreachable(self, what: str) -> RegistryUnreachable:
        return RegistryUnreachable(f"MLflow at {self._url()._replace(auth=None).url} {what}")
