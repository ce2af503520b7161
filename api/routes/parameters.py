"""Query and path parameters that several reading routes have."""

import re
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime, BeforeValidator
from pydantic_core import PydanticCustomError

from schemas.http.base import Period

RFC_3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)")
FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _written(value: object) -> object:
    """Not a number, which could be seconds or milliseconds, and not a time of nobody's clock."""
    if isinstance(value, str) and not RFC_3339.fullmatch(value):
        raise PydanticCustomError("rfc_3339", "must be a time after RFC 3339 with its offset, as 2016-03-01T17:00:00Z is")
    return value


def _plausible(moment: datetime) -> datetime:
    if not FIRST <= moment < LAST:
        raise PydanticCustomError("implausible_time", "must lie between the years 1970 and 2200")
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_plausible)]
PeriodParameter = Annotated[Period, Query(description="How far back, in wall time.")]
AreaParameter = Annotated[
    int | None, Query(ge=0, le=32_767, description="Number of a cell in GET /areas: only trips that begin there.")
]
Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]
At = Annotated[Moment | None, Query(description="RFC 3339 with an offset; wall time. Default: now.")]
Since = Annotated[Moment | None, Query(description="Pickups from then on, event time; RFC 3339 with an offset.")]
Until = Annotated[Moment | None, Query(description="Pickups before then, event time; RFC 3339 with an offset.")]
