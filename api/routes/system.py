"""`/system` and `/stats/database`: what runs, with which settings, and how much it holds."""

import asyncio
from collections import Counter

import numpy as np
from fastapi import APIRouter, Depends
from starlette.responses import Response

from api.answers import answer
from api.auth import caller
from api.metrics import Second
from api.openapi import documented
from api.reads.machine import machine
from api.reads.parts import Reads
from schemas.http.health import ApiTraffic, System
from schemas.http.trips import DatabaseStats


def system_routes(reads: Reads) -> APIRouter:
    """Two routes."""
    router = APIRouter(tags=["system"], dependencies=[Depends(caller)], route_class=reads.route)

    @router.get("/stats/database", **documented(DatabaseStats))
    async def stats() -> Response:
        """Tables with their rows and sizes; rows of large ones are the planner's estimate."""
        return answer(await reads.parts.library.stats())

    @router.get("/system", **documented(System))
    async def system() -> Response:
        """Every role, this API's traffic of the last minute, pools, settings with masked secrets, the machine, builds."""
        parts = reads.parts
        roles, builds, size = await asyncio.gather(
            parts.library.roles(), parts.library.builds(), parts.library.database_bytes()
        )
        load = machine(reads.me.folder)
        return answer(
            System(
                environment=reads.me.environment,
                roles=[reads.me.status(), *roles],
                api=traffic_of(reads.metrics.recent.seconds()),
                pools=parts.answers.pools(),
                settings=parts.answers.settings(),
                builds=builds,
                machine_cpu_percent=load.cpu_percent,
                machine_memory_bytes=load.memory_bytes,
                machine_memory_used_bytes=load.memory_used_bytes,
                disk_bytes=load.disk_bytes,
                disk_used_bytes=load.disk_used_bytes,
                database_bytes=size,
            )
        )

    return router


def traffic_of(seconds: list[Second]) -> ApiTraffic:
    """One minute of answers, oldest second first."""
    took = np.array([value for second in seconds for value in second.seconds], dtype=np.float64)
    routes: Counter[str] = Counter()
    for second in seconds:
        routes.update(second.by_route)
    p50, p99 = np.quantile(took, [0.5, 0.99]).tolist() if len(took) else (None, None)
    return ApiTraffic(
        requests_per_second=len(took) / max(len(seconds), 1),
        p50_seconds=p50,
        p99_seconds=p99,
        error_share=sum(second.failed for second in seconds) / len(took) if len(took) else 0.0,
        requests=[float(len(second.seconds)) for second in seconds],
        by_route=dict(routes.most_common(20)),
    )
