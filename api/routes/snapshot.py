"""`/snapshot` and `/areas`: what the page Live is drawn from."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from api.answers import JSON, answer
from api.auth import caller
from api.openapi import documented
from api.problems import invalid
from api.reads.parts import Reads
from api.routes.parameters import AreaParameter, PeriodParameter
from schemas.http.snapshot import Areas, Snapshot

A_MINUTE = {"Cache-Control": "private, max-age=60"}


def snapshot_routes(reads: Reads) -> APIRouter:
    """Two routes."""
    router = APIRouter(tags=["board"], dependencies=[Depends(caller)], route_class=reads.route)

    @router.get("/snapshot", **documented(Snapshot, problems=(422,), empty={204: "There is no newer one."}))
    async def snapshot(
        period: PeriodParameter = "15m",
        area: AreaParameter = None,
        after: Annotated[int | None, Query(ge=0, description="`seq` of the snapshot that the caller has.")] = None,
        boot: Annotated[str | None, Query(max_length=64, description="`boot` of the snapshot that the caller has.")] = None,
    ) -> Response:
        """Everything that the page Live shows, at one moment. However many ask, each thing is read once."""
        parts = reads.parts
        if area is not None and area not in parts.numbers:
            raise invalid(f"area: there is no area {area}; GET /areas lists them.")
        content = await parts.snapshots(period, area, after, boot)
        return Response(status_code=204) if content is None else Response(content, media_type=JSON)

    @router.get("/areas", **documented(Areas))
    async def areas() -> Response:
        """All cells of the city, for a map: they change only with the settings."""
        return answer(reads.parts.library.areas, headers=A_MINUTE)

    return router
