"""The read side alone, over HTTP within the test's own event loop: reading routes, without what stands before them."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

import httpx
import msgspec
from fastapi import FastAPI
from starlette.types import Receive, Scope, Send

from api.auth import ANYONE, Caller
from api.checks import Checks
from api.metrics import Metrics
from api.problems import handle_problems
from api.reads.parts import Reads
from api.reads_bootstrap import create_reads, read_routers
from api.settings import ApiSettings
from cli.embedded.postgres import API, BOARD, EmbeddedPostgres
from schemas.http.base import Period
from schemas.http.snapshot import Snapshot

OPERATOR = Caller("key", operator=True)
NOWHERE = "http://127.0.0.1:9"  # nobody listens there
DEADLINE_SECONDS = 30.0
Answer = TypeVar("Answer")


def settings_of(server: EmbeddedPostgres, database: str, **more: Any) -> ApiSettings:
    """The API's settings with the logins that a deployment has; what is not named is nowhere."""
    name = database.rpartition("/")[2]
    logins = {"database": server.address(API, name), "board_database": server.address(BOARD, name)}
    return ApiSettings(**{"kafka": "127.0.0.1:9", "mlflow": NOWHERE, "partitions": 3, **logins, **more})


class As:
    """Stands where the API's front stands, and says who asks."""

    def __init__(self, app: FastAPI, caller: Caller) -> None:
        self._app, self._caller = app, caller

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "state": {"caller": self._caller}}, receive, send)


@dataclass(frozen=True, slots=True)
class Reader:
    """Asks. `reads.parts` and `checks` may be looked at."""

    reads: Reads
    checks: Checks
    metrics: Metrics
    client: httpx.AsyncClient
    operator: httpx.AsyncClient

    async def get(self, path: str, kind: type[Answer], **query: Any) -> Answer:
        response = await self.client.get(path, params=query)
        assert response.status_code == 200, response.text
        return msgspec.json.decode(response.content, type=kind)

    async def problem(self, path: str, **query: Any) -> tuple[int, str]:
        """Status and detail of an answer that is no success."""
        response = await self.client.get(path, params=query)
        return response.status_code, response.json()["detail"]

    async def snapshot(self, period: Period = "15m", **query: Any) -> Snapshot:
        return await self.get("/snapshot", Snapshot, period=period, **query)

    async def until(self, holds: Callable[[Snapshot], bool], period: Period = "15m", **query: Any) -> Snapshot:
        """The first snapshot that it holds for. On a busy machine the database may be too slow for one: that is asked again."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while True:
                response = await self.client.get("/snapshot", params={"period": period, **query})
                if response.status_code != HTTPStatus.SERVICE_UNAVAILABLE:
                    assert response.status_code == HTTPStatus.OK, response.text
                    found = msgspec.json.decode(response.content, type=Snapshot)
                    if holds(found):
                        return found
                await asyncio.sleep(0.1)


@asynccontextmanager
async def reading(settings: ApiSettings) -> AsyncIterator[Reader]:
    """The read side, open."""
    checks, metrics, app = Checks(), Metrics(), FastAPI()
    reads = create_reads(settings, checks, metrics)
    handle_problems(app)
    for router in read_routers(reads):
        app.include_router(router)
    async with reads.opened(), _client(app, ANYONE) as client, _client(app, OPERATOR) as operator:
        yield Reader(reads, checks, metrics, client, operator)


def _client(app: FastAPI, caller: Caller) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=As(app, caller)), base_url="http://api")
