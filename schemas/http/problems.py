"""Everything that is not 2xx: problem details after RFC 9457, media type application/problem+json."""

from typing import Annotated

import msgspec

from schemas.http.base import Answer

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:tripcast:problem:"


class FieldProblem(Answer, frozen=True):
    """One thing that is wrong with a request. `reason` is a name of the closed list that dead letters use too."""

    pointer: Annotated[str, msgspec.Meta(description="JSON pointer into the body, or the name of a parameter.")]
    reason: str
    detail: str


class Problem(Answer, frozen=True, omit_defaults=True):
    """What went wrong and what to do about it. `type` is a URN that never changes its meaning."""

    type: str
    title: str
    status: int
    detail: Annotated[str, msgspec.Meta(description="One sentence for the person who reads it.")]
    instance: Annotated[str | None, msgspec.Meta(description="The request's id, as in the log.")] = None
    errors: tuple[FieldProblem, ...] = ()
    retry_after_seconds: int | None = None
