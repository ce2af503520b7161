"""`/history`: what was decided about models, and why."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from api.answers import answer
from api.auth import caller
from api.openapi import documented
from api.reads.parts import Reads
from api.routes.parameters import At, Limit
from domain.entities import models, story
from schemas.http.models import AskedFor, History, LifecycleEvent, Verdict


def history_routes(reads: Reads) -> APIRouter:
    """One route."""
    router = APIRouter(tags=["models"], dependencies=[Depends(caller)], route_class=reads.route)

    @router.get("/history", **documented(History, problems=(422,)))
    async def history(
        at: At = None,
        subject: Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00]*$", description="Only of this.")] = None,
        limit: Limit = 50,
    ) -> Response:
        """Events, requests of the closed loop with their answers, and verdicts of gates, as they were known then."""
        found = await reads.parts.answers.story(at or datetime.now(UTC), subject, limit)
        return answer(history_of(found))

    return router


def history_of(found: story.Story) -> History:
    """A story in the types of the contract."""
    return History(
        at=found.at,
        champion=_event(found.champion) if found.champion else None,
        events=[_event(event) for event in found.events],
        requests=[_asked(asked) for asked in found.requests],
        verdicts=[_verdict(verdict) for verdict in found.verdicts],
    )


def _event(event: models.LifecycleEvent) -> LifecycleEvent:
    return LifecycleEvent(
        at=event.at, kind=event.kind, subject=event.subject, actor=event.actor, reason=event.reason, details=event.details
    )


def _asked(asked: story.AskedFor) -> AskedFor:
    return AskedFor(
        kind=asked.kind,
        subject=asked.subject,
        reason=asked.reason,
        event_at=asked.event_at,
        requested_at=asked.requested_at,
        answered_at=asked.answered_at,
        outcome=asked.outcome,
        version=asked.version,
        answer=asked.answer,
    )


def _verdict(verdict: story.Verdict) -> Verdict:
    return Verdict(
        subject=verdict.subject,
        model_version=verdict.model_version,
        gate=verdict.gate,
        passed=verdict.passed,
        reason=verdict.reason,
        numbers=verdict.numbers,
        at=verdict.at,
    )
