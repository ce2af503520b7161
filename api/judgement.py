"""What cannot be true of a requested trip, in one sentence each; the rules themselves are `domain.quality.TripRules`."""

from collections.abc import Iterator
from dataclasses import dataclass

from domain.entities.rejections import Reason
from domain.quality import MAX_PASSENGERS, TripRules
from schemas.http.base import Point
from schemas.http.predictions import PredictionRequest
from schemas.http.problems import FieldProblem

LARGEST_VENDOR = 32767


@dataclass(frozen=True, slots=True)
class Sentences:
    """Tells of a trip that the rules refuse."""

    rules: TripRules

    def of(self, reason: Reason, request: PredictionRequest, pointer: str = "") -> FieldProblem:
        """`pointer` leads to the request in the body."""
        field, detail = self._told(reason, request)
        return FieldProblem(pointer=f"{pointer}/{field}" if field else pointer, reason=reason, detail=detail)

    def _told(self, reason: Reason, request: PredictionRequest) -> tuple[str, str]:
        match reason:
            case Reason.VENDOR_INVALID:
                return "vendor_id", f"`vendor_id` is {request.vendor_id}, and must be from 0 to {LARGEST_VENDOR}."
            case Reason.PASSENGER_COUNT_INVALID:
                stated = request.passenger_count
                return "passenger_count", f"`passenger_count` is {stated}, and must be from 0 to {MAX_PASSENGERS}."
            case Reason.PICKUP_TIME_IMPLAUSIBLE:
                began = self.rules.service_began.date()
                when = f"{request.pickup_at.isoformat()} is before {began} or more than a day from now"
                return "pickup_at", f"`pickup_at` cannot be: {when}."
            case Reason.COORDINATES_MISSING:
                return self._place(request, "has a coordinate that is zero, which stands for an unknown one", zero=True)
            case Reason.OUTSIDE_SERVICE_AREA:
                return self._place(request, f"lies outside the service area ({self._area()})", zero=False)
            case _:
                return "", f"The trip is refused: {reason.description}."

    def _place(self, request: PredictionRequest, what: str, *, zero: bool) -> tuple[str, str]:
        for name, place in _places(request):
            if (0 in {place.latitude, place.longitude}) if zero else not self._inside(place):
                return name, f"`{name}` at {place.latitude}, {place.longitude} {what}."
        return "", f"A place {what}."

    def _inside(self, place: Point) -> bool:
        area = self.rules.area
        return area.south <= place.latitude <= area.north and area.west <= place.longitude <= area.east

    def _area(self) -> str:
        area = self.rules.area
        return f"latitude {area.south:g} to {area.north:g}, longitude {area.west:g} to {area.east:g}"


def _places(request: PredictionRequest) -> Iterator[tuple[str, Point]]:
    yield "pickup", request.pickup
    yield "dropoff", request.dropoff
