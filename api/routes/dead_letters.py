"""`/dead-letters`: refused events; their bytes and their replay are for operators."""

import base64
import time
from typing import Annotated

import msgspec
from fastapi import APIRouter, Depends, Path, Query, Request
from starlette.responses import Response

from api.answers import answer
from api.auth import Caller, caller, operator
from api.openapi import documented
from api.problems import ApiProblem, invalid
from api.reads.parts import Parts, Reads
from api.requests import decode
from api.routes.parameters import Limit
from domain.entities.rejections import Reason, StoredDeadLetter
from schemas.http.trips import DeadLetter, DeadLetters, Replayed, ReplayRequest

REPLAY_SECONDS = 3.0  # of one request; what is left then is replayed by asking again
Id = Annotated[int, Path(ge=1, le=2**63 - 1)]
REASONS = {str(reason): reason for reason in Reason}
DECODER = msgspec.json.Decoder(ReplayRequest)
Asker = Annotated[Caller, Depends(caller)]


def dead_letter_routes(reads: Reads) -> APIRouter:
    """Three routes."""
    router = APIRouter(prefix="/dead-letters", tags=["dead letters"], route_class=reads.route)

    @router.get("", **documented(DeadLetters, problems=(422,)))
    async def dead_letters(
        who: Asker, reason: Annotated[Reason | None, Query(description="Only those.")] = None, limit: Limit = 50
    ) -> Response:
        """How many there are of each reason, and the newest; with their bytes for an operator's key."""
        parts = reads.parts
        return answer(DeadLetters(reasons=await parts.library.reasons(), letters=await _newest(parts, who, reason, limit)))

    @router.get("/{dead_letter_id}", **documented(DeadLetter, problems=(404, 422)))
    async def dead_letter(who: Asker, dead_letter_id: Id) -> Response:
        """One of them; with its bytes for an operator's key."""
        return answer(await _one(reads.parts, who, dead_letter_id))

    @router.post("/replay", **documented(Replayed, body=ReplayRequest, operator=True), dependencies=[Depends(operator)])
    async def replay(request: Request) -> Response:
        """Publish refused events again, byte for byte, oldest first; for three seconds at most, then ask again for the rest."""
        wanted = decode(DECODER, await request.body())
        return answer(await _replay(reads.parts, wanted))

    return router


async def _newest(parts: Parts, who: Caller, reason: Reason | None, limit: int) -> list[DeadLetter]:
    if not who.operator:
        return await parts.answers.letters(reason, limit)
    return [whole(stored) for stored in await parts.answers.with_bytes.newest(reason, limit)]


async def _one(parts: Parts, who: Caller, dead_letter_id: int) -> DeadLetter:
    found = await parts.answers.letter(dead_letter_id)
    if found is None:
        raise ApiProblem(404, "not-found", "There is no such thing", "There is no dead letter with this id.")
    return whole(await parts.answers.with_bytes.get(dead_letter_id)) if who.operator else found


async def _replay(parts: Parts, wanted: ReplayRequest) -> Replayed:
    if (wanted.ids is None) == (wanted.reason is None):
        raise invalid("Say what to replay: either ids or a reason.")
    if wanted.reason is not None and wanted.reason not in REASONS:
        raise invalid(f"reason: {wanted.reason} is none; the reasons are {', '.join(REASONS)}.")
    letters, ends = parts.answers.with_bytes, time.monotonic() + REPLAY_SECONDS
    reason = REASONS[wanted.reason] if wanted.reason is not None else None
    chosen = await letters.choose(wanted.ids, reason, again=wanted.again)
    published = 0
    if chosen:
        async with parts.answers.replaying() as publish:
            for dead_letter_id in chosen:
                published += await letters.replay(dead_letter_id, publish, again=wanted.again)
                if time.monotonic() >= ends:
                    break
    return Replayed(chosen=len(chosen), published=published)


def whole(stored: StoredDeadLetter) -> DeadLetter:
    """With its bytes."""
    letter = stored.letter
    return DeadLetter(
        dead_letter_id=stored.dead_letter_id,
        topic=stored.topic,
        partition=letter.partition,
        offset=letter.offset,
        record_at=letter.timestamp,
        recorded_at=stored.recorded_at,
        replayed_at=stored.replayed_at,
        reason=letter.reason.value,
        description=letter.reason.description,
        detail=letter.detail,
        key_base64=_base64(letter.key),
        value_base64=_base64(letter.value),
        text=_text(letter.value),
        headers=[(name, _readable(value)) for name, value in letter.headers],
    )


def _base64(content: bytes | None) -> str | None:
    return None if content is None else base64.b64encode(content).decode()


def _text(content: bytes | None) -> str | None:
    try:
        return None if content is None else content.decode()
    except UnicodeDecodeError:
        return None


def _readable(content: bytes | None) -> str | None:
    return None if content is None else content.decode(errors="backslashreplace")
