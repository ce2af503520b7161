"""`/model/info` and `/model/reload`: who answers, and asking the registry at once."""

from collections.abc import Callable

from fastapi import APIRouter, Depends
from starlette.responses import Response

from api.answers import answer
from api.auth import operator
from api.follower import Follower
from api.openapi import documented
from schemas.http.models import ModelInfo, Reloaded


def model_routes(name: str, follower: Follower, run_url: Callable[[str], str | None]) -> APIRouter:
    """Two routes."""
    router = APIRouter(prefix="/model", tags=["model"])

    @router.get("/info", **documented(ModelInfo))
    async def info() -> Response:
        """The champion that this API answers with, and what is wrong with a newer one. 503 without one."""
        active, report = follower.active(), follower.report
        return answer(
            ModelInfo(
                name=name,
                version=active.version,
                kind=active.kind,
                run_id=active.run_id,
                feature_schema=active.feature_schema,
                created_at=active.created_at,
                metrics=active.metrics,
                registry_up=report.registry_up,
                local_copy=report.local_copy,
                refused=follower.refused,
                run_url=run_url(active.run_id),
            )
        )

    @router.post("/reload", dependencies=[Depends(operator)], **documented(Reloaded, operator=True))
    async def reload() -> Response:
        """Ask the registry now rather than in a moment. A version that fails a check is refused, and the one before goes on."""
        before = follower.report.active
        report = await follower.now()
        version = report.active.version if report.active else None
        return answer(
            Reloaded(
                changed=report.active is not before,
                version=version,
                before=before.version if before else None,
                registry_up=report.registry_up,
                refused=follower.refused,
            )
        )

    return router
