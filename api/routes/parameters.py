"""Query and path parameters that several reading routes have."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import Query
from pydantic import AfterValidator, AwareDatetime

from schemas.http.base import Period

FIRST, LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)


def _plausible(moment: datetime) -> datetime:
    if not FIRST <= moment < LAST:
        raise ValueError("must lie between the years 1970 and 2200")
    return moment.astimezone(UTC)


Moment = Annotated[AwareDatetime, AfterValidator(_plausible)]
PeriodParameter = Annotated[Period, Query(description="How far back, in wall time.")]
AreaParameter = Annotated[
    int | None, Query(ge=0, le=32_767, description="Number of a cell in GET /areas: only trips that begin there.")
]
Limit = Annotated[int, Query(ge=1, le=500, description="How many at most.")]
At = Annotated[Moment | None, Query(description="RFC 3339 with an offset; wall time. Default: now.")]
Since = Annotated[Moment | None, Query(description="Pickups from then on, event time; RFC 3339 with an offset.")]
Until = Annotated[Moment | None, Query(description="Pickups before then, event time; RFC 3339 with an offset.")]
