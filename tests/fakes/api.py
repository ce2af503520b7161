"""A stand-in for the API: every read route of the contract, with numbers that could be true, and states on demand.

`python -m tests.fakes.api 8000` serves it to look at the board; tests say `with serving(StandInApi()) as address`.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import msgspec
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from schemas.http.problems import MEDIA_TYPE, TYPE_PREFIX, Problem
from tests.fakes import api_documents as documents
from tests.fakes import api_trips as of_trips
from tests.fakes.api_snapshot import City

Answering = Callable[[Request], msgspec.Struct | dict[str, Any] | None]


@dataclass
class StandInApi:
    """What tests turn: the city's state, which routes are broken, and what was asked."""

    city: City = field(default_factory=City)
    broken: set[str] = field(default_factory=set)  # paths that answer 503
    asked: list[str] = field(default_factory=list)
    posted: list[tuple[str, Any]] = field(default_factory=list)
    refusals: dict[str, Problem] = field(default_factory=dict)  # paths that answer a POST with this problem
    boot: str = "boot-1"

    def routes(self) -> dict[str, Answering]:
        """Path to answer; later pages' documents are one line each."""
        return {
            "/snapshot": self._snapshot,
            "/areas": lambda _: self.city.areas(),
            "/drift": lambda _: self.city.drift(),
            "/drift/{signal}": lambda asked: self.city.drift_detail(asked.path_params["signal"]),
            "/trips/summary": lambda _: of_trips.trips_summary(),
            "/trips/{trip_id}": lambda asked: self.city.trip(asked.path_params["trip_id"]),
            "/": lambda _: documents.index(),
            "/health": lambda _: documents.health(),
            "/livez": lambda _: documents.alive(),
            "/readyz": lambda _: documents.ready(),
            "/model/info": lambda _: documents.model_info(),
            "/models": lambda _: documents.models(),
            "/models/champion": lambda _: documents.champion_at(),
            "/quality": lambda asked: documents.quality(asked.query_params.get("by", "city")),
            "/history": lambda _: documents.history(),
            "/stats/database": lambda _: of_trips.database_stats(),
            "/system": lambda _: documents.system(),
            "/dead-letters": lambda asked: of_trips.dead_letters(asked.query_params.get("reason")),
            "/dead-letters/{dead_letter_id:int}": lambda asked: of_trips.dead_letter(
                asked.path_params["dead_letter_id"], whole="authorization" in asked.headers
            ),
            "/openapi.json": lambda _: documents.openapi(),
        }

    def application(self) -> Starlette:
        """An ASGI application."""
        reads = [Route(path, self._answering(path, answer)) for path, answer in self.routes().items()]
        writes = [
            Route(path, self._posting(path, answer), methods=["POST"])
            for path, answer in (
                ("/predict", documents.prediction()),
                ("/dead-letters/replay", of_trips.replayed()),
                ("/model/reload", documents.reloaded()),
            )
        ]
        return Starlette(routes=[*writes, *reads])

    def _snapshot(self, asked: Request) -> msgspec.Struct | None:
        given = asked.query_params
        area = int(given["area"]) if "area" in given else None
        snapshot = self.city.snapshot(self.boot, given.get("period", "15m"), area)
        return None if given.get("boot") == self.boot and int(given.get("after", -1)) >= snapshot.seq else snapshot

    def _answering(self, path: str, answer: Answering) -> Callable[[Request], Any]:
        async def handler(request: Request) -> Response:
            self.asked.append(request.url.path)
            if path in self.broken:
                return _problem(503, "unavailable", "The database does not answer", "It is asked again every half second.")
            try:
                found = answer(request)
            except LookupError:
                return _problem(404, "not-found", "Not found", f"There is no {request.url.path}.")
            return Response(status_code=204) if found is None else _json(found)

        return handler

    def _posting(self, path: str, answer: msgspec.Struct) -> Callable[[Request], Any]:
        async def handler(request: Request) -> Response:
            body = await request.json()
            self.posted.append((path, body))
            if path in self.broken:
                return _problem(503, "unavailable", "No champion", "No model is champion yet: train one with `tripcast train`.")
            if path in self.refusals:
                problem = self.refusals[path]
                return Response(msgspec.json.encode(problem), problem.status, media_type=MEDIA_TYPE)
            if path == "/dead-letters/replay" and "authorization" not in request.headers:
                return _problem(401, "unauthorized", "A key is needed", "Show an operator key.")
            return _json(answer)

        return handler


@contextmanager
def serving(api: StandInApi, port: int = 0) -> Iterator[str]:
    """Serve it on a loopback port in a thread; gives its address."""
    config = uvicorn.Config(api.application(), host="127.0.0.1", port=port, log_config=None, access_log=False)
    server = uvicorn.Server(config)
    listening = config.bind_socket()
    listening.listen()  # before the thread comes to it: the first question waits instead of being refused
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


def _json(struct: msgspec.Struct | dict[str, Any]) -> Response:
    return Response(msgspec.json.encode(struct), media_type="application/json")


def _problem(status: int, slug: str, title: str, detail: str) -> Response:
    problem = Problem(type=TYPE_PREFIX + slug, title=title, status=status, detail=detail)
    return Response(msgspec.json.encode(problem), status, media_type=MEDIA_TYPE)


if __name__ == "__main__":
    uvicorn.run(StandInApi().application(), host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
