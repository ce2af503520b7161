"""`/quality`: how wrong predictions turned out."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from api.answers import answer
from api.auth import caller
from api.openapi import documented
from api.problems import invalid
from api.reads.parts import Reads
from api.routes.parameters import Since, Until
from domain.entities.cohorts import By
from schemas.http.quality import Quality


def quality_routes(reads: Reads) -> APIRouter:
    """One route."""
    router = APIRouter(tags=["quality"], dependencies=[Depends(caller)], route_class=reads.route)

    @router.get("/quality", **documented(Quality, problems=(422,)))
    async def quality(
        by: Annotated[By, Query(description="How trips are divided.")] = By.CITY, since: Since = None, until: Until = None
    ) -> Response:
        """Mature cohorts, whose trips have nearly all ended, apart from immature ones. Times are event time."""
        if since is not None and until is not None and since >= until:
            raise invalid("until: must be later than since.")
        return answer(await reads.parts.library.quality(by, since, until))

    return router
