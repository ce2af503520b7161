"""GET over HTTP with a deadline: the metrics of other roles, and the builds of a forge."""

from collections.abc import Mapping
from types import TracebackType
from typing import Self

import httpx

from domain.errors import Unreachable

LIMITS = httpx.Limits(max_connections=20, max_keepalive_connections=20, keepalive_expiry=10.0)


class WebReader:
    """A client with kept connections; open it with `async with`."""

    def __init__(self) -> None:
        self._client = httpx.AsyncClient(limits=LIMITS, trust_env=False, follow_redirects=False)

    async def __aenter__(self) -> Self:
        """Ready at once: it connects when it is asked."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Hang up."""
        await self._client.aclose()

    async def get(self, address: str, seconds: float, headers: Mapping[str, str] | None = None) -> tuple[int, str]:
        """Status and text. Raises Unreachable when no whole answer comes within `seconds`."""
        try:
            answer = await self._client.get(address, headers=dict(headers or {}), timeout=seconds)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise Unreachable(f"{address} does not answer ({type(error).__name__})") from error
        return answer.status_code, answer.text
