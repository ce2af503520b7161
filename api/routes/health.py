"""`/health`, `/livez`, `/readyz` and `/metrics`: what is well and what is not."""

from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter
from starlette.responses import Response

from api.answers import answer
from api.checks import Checks
from api.metrics import Metrics
from api.openapi import documented
from api.problems import ApiProblem
from schemas.http.health import Alive, Health, Ready
from schemas.http.problems import FieldProblem

EXPOSITION = "text/plain; version=0.0.4; charset=utf-8"


def health_routes(version: str, checks: Checks, metrics: Metrics) -> APIRouter:
    """Four routes."""
    router, started_at = APIRouter(tags=["health"]), datetime.now(UTC)

    @router.get("/health", **documented(Health))
    async def health() -> Response:
        """Every check, with since when it is as it is. 200 even where something is missing: `status` tells."""
        status: Literal["ok", "degraded", "down"] = "down" if checks.missing() else "degraded" if checks.degraded() else "ok"
        return answer(Health(status=status, version=version, started_at=started_at, checks=checks.all()))

    @router.get("/livez", **documented(Alive))
    async def livez() -> Response:
        """The process turns. Nothing that it needs is looked at: a restart would not mend that."""
        return answer(Alive(alive=True, loop_lag_seconds=metrics.loop_lag_seconds))

    @router.get("/readyz", **documented(Ready))
    async def readyz() -> Response:
        """200 when predictions can be answered and kept; else 503 with what is missing and why."""
        missing = checks.missing()
        if missing:
            raise _not_ready(missing)
        return answer(Ready(ready=True, degraded=checks.degraded()))

    @router.get("/metrics", **_exposition())
    async def exposition() -> Response:
        """Prometheus metrics."""
        return Response(metrics.exposition(), media_type=EXPOSITION)

    return router


def _not_ready(missing: dict[str, str]) -> ApiProblem:
    errors = [FieldProblem(pointer=name, reason="missing", detail=why) for name, why in missing.items()]
    detail = "; ".join(f"{name}: {why}" for name, why in missing.items())
    return ApiProblem(503, "not-ready", "It cannot serve", detail, errors, retry_after=1)


def _exposition() -> dict[str, Any]:
    told = documented(None)
    told["responses"][200] = {"description": "As asked.", "content": {"text/plain": {"schema": {"type": "string"}}}}
    return {**told, "response_class": Exposition}


class Exposition(Response):
    """For the document: the media type without its parameters."""

    media_type = "text/plain"
