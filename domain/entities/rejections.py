"""Why a row or an event is refused; the closed list of names that reports, metrics and dead letters use."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Reason(StrEnum):
    """A named reason; its description is the sentence that reports show."""

    description: str

    def __new__(cls, value: str, description: str) -> "Reason":
        """Make a member that is its name and carries its sentence."""
        member = str.__new__(cls, value)
        member._value_ = value
        member.description = description
        return member

    # What cannot be decoded.
    TOO_LARGE = "too_large", "the event is larger than the size limit"
    NULL_VALUE = "null_value", "the event has no value"
    NULL_KEY = "null_key", "the event has no key"
    KEY_MISMATCH = "key_mismatch", "the key is not the trip id"
    INVALID_UTF8 = "invalid_utf8", "the bytes are not UTF-8 text"
    INVALID_JSON = "invalid_json", "the bytes are not JSON"
    UNKNOWN_TYPE = "unknown_type", "the event type is not known"
    UNKNOWN_VERSION = "unknown_version", "the event version is not known"
    INVALID_SCHEMA = "invalid_schema", "a field is missing, unknown or of the wrong type"
    # What can be decoded and cannot be true.
    TRIP_ID_INVALID = "trip_id_invalid", "the trip id is empty, too long or contains NUL"
    TRIP_ID_RESERVED = "trip_id_reserved", "the trip id begins as a canary's and the trip is none"
    VENDOR_INVALID = "vendor_invalid", "the vendor id is outside 0 to 32767"
    PASSENGER_COUNT_INVALID = "passenger_count_invalid", "the passenger count is outside 0 to 9"
    COORDINATES_MISSING = "coordinates_missing", "a coordinate is zero, not a number or missing"
    OUTSIDE_SERVICE_AREA = "outside_service_area", "the pickup or dropoff lies outside the service area"
    PICKUP_TIME_IMPLAUSIBLE = "pickup_time_implausible", "the pickup is before the service began or in the future"
    PICKUP_TIME_MISSING = "pickup_time_missing", "the pickup or dropoff time is missing"
    LOCAL_TIME_SKIPPED = "local_time_skipped", "the local time does not exist on that daylight saving night"
    DURATION_NOT_POSITIVE = "duration_not_positive", "the dropoff is not after the pickup"
    DURATION_OVER_24_HOURS = "duration_over_24_hours", "the trip lasts longer than 24 hours"
    DURATION_MISMATCH = "duration_mismatch", "the stated duration is not dropoff minus pickup"
    ZONE_UNKNOWN = "zone_unknown", "a zone has no known centroid"
    # What contradicts something stored.
    CONTRADICTS_STORED = "contradicts_stored", "an earlier event or row for this trip says otherwise"
    # What harms the process.
    KILLS_THE_WORKER = "kills_the_worker", "the worker died three times while handling this event alone"


class SkipReason(StrEnum):
    """Why records of a partition have neither a row nor a dead letter."""

    IDENTICAL_REPEAT = "identical_repeat"  # the same trip event again, at another offset
    NO_RECORD = "no_record"  # no data record at these offsets: transaction markers, or what is too large to be opened
    PRUNED = "pruned"  # their rows were dropped by age, on somebody's order
    LOST = "lost"  # retention or a re-created topic took them before they were read: a loss, and named as one


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One refused event, byte for byte, with where it came from and why. `timestamp` is the record's, in UTC."""

    partition: int
    offset: int
    timestamp: datetime
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class StoredDeadLetter:
    """A refused event as it is stored."""

    dead_letter_id: int
    topic: str
    letter: DeadLetter
    recorded_at: datetime
    replayed_at: datetime | None

    @property
    def origin(self) -> str:
        """Topic, partition and offset of the record."""
        return f"{self.topic}/{self.letter.partition}/{self.letter.offset}"
