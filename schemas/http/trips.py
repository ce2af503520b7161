"""Single trips, dead letters, and what all stored trips look like together."""

from typing import Annotated, Any

import msgspec

from schemas.http.base import Answer, Instant, Point, Role

DeadLetterId = Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)]


class TripPrediction(Answer, frozen=True):
    """What one version said of a trip."""

    role: Role
    model_version: int
    feature_schema: str
    duration_seconds: float
    lower_seconds: float
    upper_seconds: float
    scored_at: Instant


class Trip(Answer, frozen=True):
    """A stored trip. Loaded from a file it has no place in the stream; still running it has no end."""

    trip_id: str
    vendor_id: int
    passenger_count: int
    pickup_at: Instant
    pickup: Point
    dropoff: Point
    recorded_at: Instant
    topic: str | None
    partition: int | None
    offset: int | None
    traceparent: str | None
    predictions: list[TripPrediction]
    dropoff_at: Instant | None
    actual_seconds: float | None
    error_seconds: float | None
    within_interval: bool | None
    raw_event: dict[str, Any] | None


class DeadLetter(Answer, frozen=True):
    """A refused event. The bytes come base64-encoded, and only for an operator; `text` is their UTF-8, where they are."""

    dead_letter_id: int
    topic: str
    partition: int
    offset: int
    record_at: Instant
    recorded_at: Instant
    replayed_at: Instant | None
    reason: str
    description: str
    detail: str
    key_base64: str | None = None
    value_base64: str | None = None
    text: str | None = None
    headers: list[tuple[str, str | None]] | None = None


class ReasonCount(Answer, frozen=True):
    """How often a reason occurred, with its sentence."""

    reason: str
    description: str
    count: int
    last_hour: int
    newest_at: Instant | None


class DeadLetters(Answer, frozen=True):
    """Counts by reason, most frequent first, and the newest letters."""

    reasons: list[ReasonCount]
    letters: list[DeadLetter]


class ReplayRequest(Answer, frozen=True, forbid_unknown_fields=True):
    """Which dead letters are to be published again: these ids, or all of a reason. `again`: also those replayed before."""

    ids: list[DeadLetterId] | None = None
    reason: str | None = None
    again: bool = False


class Replayed(Answer, frozen=True):
    """What a replay did."""

    chosen: int
    published: int


class TableSize(Answer, frozen=True):
    """Rows are the planner's estimate unless `exact`."""

    name: str
    rows: int
    exact: bool
    bytes: int


class DatabaseStats(Answer, frozen=True):
    """How much the database holds."""

    bytes: int
    tables: list[TableSize]
    first_pickup_at: Instant | None
    last_pickup_at: Instant | None
    connections: int


class HourOfTrips(Answer, frozen=True):
    """Trips and their mean duration in one hour of the day or one day of the week (0: Monday), city time."""

    number: int
    trips: int
    mean_minutes: float | None


class Distribution(Answer, frozen=True):
    """A histogram: one count less than edges."""

    name: str
    unit: str
    edges: list[float]
    counts: list[int]


class RefusedRows(Answer, frozen=True):
    """Rows of files that were refused, by reason."""

    reason: str
    description: str
    count: int


class TripsSummary(Answer, frozen=True):
    """What the page Data shows. `sample_share` below 1: means and distributions are of a random sample of that share."""

    as_of: Instant
    trips: int
    exact: bool
    sample_share: float
    mean_minutes: float | None
    vendors: dict[str, int]
    first_pickup_at: Instant | None
    last_pickup_at: Instant | None
    hours: list[HourOfTrips]
    weekdays: list[HourOfTrips]
    distributions: list[Distribution]
    refused_rows: list[RefusedRows]
    quarantined: list[RefusedRows]
