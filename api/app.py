"""The application: routes, what stands before them, and their document. Nothing is opened here."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass

from fastapi import APIRouter, FastAPI

from api.auth import KeyRing
from api.checks import Checks
from api.follower import Follower
from api.front import Caps, Front
from api.limits import Limits
from api.metrics import Metrics
from api.openapi import describe
from api.pages import add_pages
from api.predict import Predictor
from api.problems import handle_problems
from api.routes.health import health_routes
from api.routes.index import index_routes
from api.routes.model import model_routes
from api.routes.predict import predict_operations, predict_routes

TITLE = "tripcast"
DESCRIPTION = (
    "Predicts how long taxi trips will take, and tells everything about the running system. Everything that is not 2xx is a "
    "problem after RFC 9457. Times are RFC 3339 with an offset; durations are seconds where a name does not say otherwise."
)

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Serve:
    """What the application serves with: whole from the start, though nothing of it has been opened yet."""

    version: str
    model_name: str
    keys: KeyRing
    limits: Limits
    caps: Caps
    metrics: Metrics
    checks: Checks
    follower: Follower
    predictor: Predictor
    run_url: Callable[[str], str | None] = lambda run_id: None  # noqa: ARG005 - without an address of MLflow there is no link


def create_application(serve: Serve, reads: Sequence[APIRouter], lifespan: Lifespan) -> FastAPI:
    """All routes; those of `reads` come after the core's."""
    app = FastAPI(
        title=TITLE,
        description=DESCRIPTION,
        version=serve.version,
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry={"tracing": False, "metrics": False, "logs": False},
    )
    app.router.routes.extend(predict_routes(serve.predictor))  # first, for they are asked most
    app.include_router(index_routes(serve.version))
    app.include_router(health_routes(serve.version, serve.checks, serve.metrics))
    app.include_router(model_routes(serve.model_name, serve.follower, serve.run_url))
    for router in reads:
        app.include_router(router)
    add_pages(app)
    handle_problems(app)
    describe(app, predict_operations())
    app.add_middleware(Front, keys=serve.keys, limits=serve.limits, metrics=serve.metrics, caps=serve.caps)
    return app
