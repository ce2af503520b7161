"""`GET /`: what this is."""

from fastapi import APIRouter
from starlette.responses import Response

from api.answers import answer
from api.openapi import documented
from schemas.http.health import Index

LINKS = {
    "predict": "/predict",
    "model": "/model/info",
    "health": "/health",
    "metrics": "/metrics",
    "documentation": "/docs",
    "openapi": "/openapi.json",
}


def index_routes(version: str) -> APIRouter:
    """One route."""
    router = APIRouter(tags=["about"])
    content = Index(name="tripcast", version=version, description="Predicts how long taxi trips will take.", links=LINKS)

    @router.get("/", **documented(Index))
    async def index() -> Response:
        """What this is and where to go from here."""
        return answer(content)

    return router
