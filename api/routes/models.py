"""`/models`: versions, trainings, and who was champion when."""

from datetime import UTC, datetime

from fastapi import APIRouter, Depends
from starlette.responses import Response

from api.answers import answer
from api.auth import caller
from api.openapi import documented
from api.reads.parts import Reads
from api.reads.reigns import champion_at
from api.routes.parameters import At
from schemas.http.models import ChampionAt, Models


def models_routes(reads: Reads) -> APIRouter:
    """Two routes."""
    router = APIRouter(prefix="/models", tags=["models"], dependencies=[Depends(caller)], route_class=reads.route)

    @router.get("", **documented(Models))
    async def models() -> Response:
        """Registered versions, trainings and reigns. While the registry is away: what it said last, and `registry_up` false."""
        return answer(await reads.parts.library.models())

    @router.get("/champion", **documented(ChampionAt, problems=(422,)))
    async def champion(at: At = None) -> Response:
        """Who was champion at a moment of wall time, how that came about, and why."""
        moment = at or datetime.now(UTC)
        return answer(champion_at(await reads.parts.library.reigns(), moment))

    return router
