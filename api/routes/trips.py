"""`/trips`: one stored trip, and what all of them look like together."""

from typing import Annotated

from fastapi import APIRouter, Depends, Path
from starlette.responses import Response

from api.answers import answer
from api.auth import caller
from api.openapi import documented
from api.problems import ApiProblem
from api.reads.parts import Reads
from domain.quality import MAX_TRIP_ID_LENGTH
from schemas.http.trips import Trip, TripsSummary


def trip_routes(reads: Reads) -> APIRouter:
    """Two routes; the summary first, for `summary` is no trip's id."""
    router = APIRouter(prefix="/trips", tags=["trips"], dependencies=[Depends(caller)], route_class=reads.route)

    @router.get("/summary", **documented(TripsSummary))
    async def summary() -> Response:
        """Counts, means and distributions; of a random sample where there are many trips. Read anew once a minute."""
        return answer(await reads.parts.library.summary())

    @router.get("/{trip_id}", **documented(Trip, problems=(404, 422)))
    async def trip(trip_id: Annotated[str, Path(min_length=1, max_length=MAX_TRIP_ID_LENGTH)]) -> Response:
        """Inputs, predictions with their intervals, end and error where these are known, and its place in the stream."""
        found = None if "\0" in trip_id else await reads.parts.answers.trip(trip_id)
        if found is None:
            raise ApiProblem(404, "not-found", "There is no such thing", "No trip with this id is stored.")
        return answer(found)

    return router
