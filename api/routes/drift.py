"""`/drift`: the closed loop's phase, and the signals that it watches."""

import asyncio
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from api.answers import answer
from api.auth import caller
from api.openapi import documented
from api.problems import ApiProblem
from api.reads.parts import Reads
from api.reads.signals import detail
from api.routes.parameters import PeriodParameter
from schemas.http.quality import Drift, DriftDetail

MOST_STEPS = 2000
DAYS = {"5m": 1, "15m": 1, "1h": 3, "24h": 30}  # of event time that a chart of one signal shows at least
READ_SECONDS = 2.0


def drift_routes(reads: Reads) -> APIRouter:
    """Two routes."""
    router = APIRouter(prefix="/drift", tags=["quality"], dependencies=[Depends(caller)], route_class=reads.route)

    @router.get("", **documented(Drift))
    async def drift() -> Response:
        """Every signal with its newest steps."""
        cached = await reads.parts.live.drift().fresh(READ_SECONDS)
        if cached.data is None:
            words = cached.error or "It takes longer than usual: ask again."
            raise ApiProblem(503, "unreachable", "Something that is needed does not answer", words, retry_after=1)
        return answer(cached.data)

    @router.get("/{signal}", **documented(DriftDetail, problems=(404, 422)))
    async def one(signal: Annotated[str, Path(min_length=1, max_length=40)], period: PeriodParameter = "24h") -> Response:
        """One signal over a longer time, its alarms, and how its values lay before and lie now."""
        parts = reads.parts
        newest, days = parts.sampler.look.event_time, DAYS.get(period)
        since = newest - timedelta(days=days) if newest is not None and days is not None else None
        known = "\0" not in signal
        steps, alarms = await asyncio.gather(
            parts.answers.signal(signal if known else "", since, MOST_STEPS), parts.answers.alarms()
        )
        if not steps:
            raise ApiProblem(404, "not-found", "There is no such thing", "No signal of this name was watched in that time.")
        return answer(detail(signal, steps, alarms))

    return router
