"""What is refused, and by which name; the neighbours of a bad event are events like any other."""

from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta, timezone

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.entities.rejections import Reason
from domain.entities.trips import TripColumns
from domain.quality import TripRules
from schemas.events import Point, TripCompleted, TripStarted
from schemas.topics import MAX_EVENT_BYTES
from stream.decode import Decoded, decode

NOW = datetime(2020, 1, 1, tzinfo=UTC)
STARTED = TripStarted("t1", 1, 2, datetime(2016, 3, 1, 12, 0, 0, 123456, UTC), Point(40.75, -73.98), Point(40.77, -73.87))
COMPLETED = TripCompleted("t1", STARTED.pickup_at, STARTED.pickup_at + timedelta(minutes=9))


@dataclass
class Record:
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp: int = 1_456_833_600_000
    headers: tuple[tuple[str, bytes | None], ...] = (("trace", b"\xff"), ("empty", None))


def encoded(event: object = STARTED, **changes: object) -> bytes:
    return msgspec.json.encode(msgspec.to_builtins(event) | changes)


def decoded(*values: tuple[bytes | None, bytes | None]) -> Decoded:
    records = [Record(offset, key, value) for offset, (key, value) in enumerate(values)]
    return decode({7: records}, TripRules(), NOW)


BAD = {
    "too large": (b"t1", b'"' + b"x" * MAX_EVENT_BYTES + b'"', Reason.TOO_LARGE),
    "too large and nothing else right": (None, b"\xff" * (MAX_EVENT_BYTES + 1), Reason.TOO_LARGE),
    "no value": (b"t1", None, Reason.NULL_VALUE),
    "no key": (None, encoded(), Reason.NULL_KEY),
    "another key": (b"t2", encoded(), Reason.KEY_MISMATCH),
    "invalid UTF-8": (b"t1", encoded().replace(b"t1", b"t\xff"), Reason.INVALID_UTF8),
    "overlong UTF-8": (b"t1", b"\xc0\x80", Reason.INVALID_UTF8),
    "lone surrogate in the id": (b"t1", encoded().replace(b'"t1"', b'"\\ud800"'), Reason.INVALID_JSON),
    "the other half of a surrogate pair in the id": (b"t1", encoded().replace(b'"t1"', b'"\\udc00"'), Reason.INVALID_JSON),
    "not JSON": (b"t1", b"{", Reason.INVALID_JSON),
    "empty": (b"t1", b"", Reason.INVALID_JSON),
    "two events in one value": (b"t1", encoded() + b"," + encoded(), Reason.INVALID_JSON),
    "deep nesting": (b"t1", b"[" * 60_000, Reason.INVALID_JSON),
    "deep nesting that closes": (b"t1", b"[" * 30_000 + b"]" * 30_000, Reason.INVALID_JSON),
    "deep nesting in a field": (
        b"t1",
        encoded().replace(b'"vendor_id":1', b'"vendor_id":' + b"[" * 20_000 + b"]" * 20_000),
        Reason.INVALID_JSON,
    ),
    "NaN": (b"t1", encoded().replace(b"40.75", b"NaN"), Reason.INVALID_JSON),
    "a list": (b"t1", b"[1]", Reason.INVALID_SCHEMA),
    "no type": (b"t1", b"{}", Reason.UNKNOWN_TYPE),
    "another type": (b"t1", encoded(type="trip.cancelled.v1"), Reason.UNKNOWN_TYPE),
    "a type that is no text": (b"t1", encoded(type=["trip.started.v1"]), Reason.UNKNOWN_TYPE),
    "a later version": (b"t1", encoded(type="trip.started.v2"), Reason.UNKNOWN_VERSION),
    "a huge number": (b"t1", encoded().replace(b"40.75", b"1e400"), Reason.INVALID_SCHEMA),
    "a number beyond small": (b"t1", encoded(vendor_id=70_000), Reason.INVALID_SCHEMA),
    "an integer without end": (
        b"t1",
        encoded().replace(b'"vendor_id":1', b'"vendor_id":' + b"9" * 5000),
        Reason.INVALID_SCHEMA,
    ),
    "a text for a number": (b"t1", encoded(vendor_id="1"), Reason.INVALID_SCHEMA),
    "a field too many": (b"t1", encoded(tip=3), Reason.INVALID_SCHEMA),
    "a field too few": (b"t1", encoded().replace(b'"vendor_id":1,', b""), Reason.INVALID_SCHEMA),
    "a time without an offset": (b"t1", encoded(pickup_at="2016-03-01T12:00:00"), Reason.INVALID_SCHEMA),
    "an empty id": (b"", encoded(trip_id=""), Reason.INVALID_SCHEMA),
    "NUL in the id": (b"t\x00", encoded(trip_id="t\x00"), Reason.TRIP_ID_INVALID),
    "vendor -1": (b"t1", encoded(vendor_id=-1), Reason.VENDOR_INVALID),
    "ten passengers": (b"t1", encoded(passenger_count=10), Reason.PASSENGER_COUNT_INVALID),
    "no coordinates": (b"t1", encoded(pickup={"latitude": 0, "longitude": 0}), Reason.COORDINATES_MISSING),
    "Las Vegas": (b"t1", encoded(pickup={"latitude": 36.1, "longitude": -115.1}), Reason.OUTSIDE_SERVICE_AREA),
    "the year 2002": (b"t1", encoded(pickup_at="2002-01-01T00:00:00Z"), Reason.PICKUP_TIME_IMPLAUSIBLE),
    "the year 1": (b"t1", encoded(pickup_at="0001-01-01T00:00:00+14:00"), Reason.PICKUP_TIME_IMPLAUSIBLE),
    "the year 9999": (b"t1", encoded(pickup_at="9999-12-31T23:59:59.999999-14:00"), Reason.PICKUP_TIME_IMPLAUSIBLE),
    "backwards": (b"t1", encoded(COMPLETED, dropoff_at="2016-03-01T11:00:00Z"), Reason.DURATION_NOT_POSITIVE),
    "a day and more": (b"t1", encoded(COMPLETED, dropoff_at="2016-03-03T12:00:00Z"), Reason.DURATION_OVER_24_HOURS),
}


@pytest.mark.parametrize(("key", "value", "reason"), BAD.values(), ids=BAD.keys())
def test_a_bad_event_is_named_and_its_neighbours_are_kept(key: bytes | None, value: bytes | None, reason: Reason) -> None:
    batch = decoded((b"t1", encoded()), (key, value), (b"t1", encoded(COMPLETED)))
    [letter] = batch.dead_letters
    assert (letter.reason, letter.partition, letter.offset, letter.key, letter.value) == (reason, 7, 1, key, value)
    assert letter.headers == (("trace", b"\xff"), ("empty", None))
    assert letter.timestamp == datetime(2016, 3, 1, 12, tzinfo=UTC)
    assert letter.detail
    assert (batch.started_records.offset.tolist(), batch.completed_records.offset.tolist()) == ([0], [2])


def test_columns_hold_what_the_event_says() -> None:
    batch = decoded((b"t1", encoded()), (b"t1", encoded(COMPLETED)))
    assert [column[0] for column in vars_of(batch.started)] == [
        "t1", 1, 2, np.datetime64("2016-03-01T12:00:00.123456"), 40.75, -73.98, 40.77, -73.87,
    ]  # fmt: skip
    assert batch.completed.duration_seconds.tolist() == [540.0]
    assert (batch.started_records.partition[0], batch.started_records.offset[0]) == (7, 0)


def test_nothing_decodes_to_empty_columns() -> None:
    batch = decode({}, TripRules(), NOW)
    assert (len(batch.started), len(batch.completed), batch.dead_letters) == (0, 0, ())
    assert batch.started.pickup_at.dtype == "datetime64[us]"


@pytest.mark.parametrize("timestamp", [-1, -(2**63), 2**63 - 1])
def test_a_record_with_an_impossible_timestamp_is_refused_like_any_other(timestamp: int) -> None:
    batch = decode({0: [Record(0, b"t1", b"{", timestamp)]}, TripRules(), NOW)
    assert batch.dead_letters[0].reason is Reason.INVALID_JSON


@given(st.datetimes(datetime(2009, 1, 2), datetime(2019, 12, 31)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001 - a zone is added
def test_times_are_exact_to_the_microsecond_in_every_zone(naive: datetime, minutes: int) -> None:
    pickup_at = naive.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    batch = decoded((b"t1", encoded(msgspec.structs.replace(STARTED, pickup_at=pickup_at))))
    expected = np.datetime64(pickup_at.astimezone(UTC).replace(tzinfo=None), "us")
    assert batch.started.pickup_at.tolist() == [expected.item()]


@given(st.lists(st.tuples(st.none() | st.binary(max_size=5), st.none() | st.binary(max_size=60)), max_size=20))
def test_every_record_becomes_exactly_one_thing_whatever_it_holds(values: list[tuple[bytes | None, bytes | None]]) -> None:
    batch = decoded(*values, (b"t1", encoded()))
    offsets = [letter.offset for letter in batch.dead_letters]
    offsets += batch.started_records.offset.tolist() + batch.completed_records.offset.tolist()
    assert sorted(offsets) == list(range(len(values) + 1))


@given(st.binary(max_size=8), st.integers(0, 300))
def test_no_mutation_of_an_event_raises(noise: bytes, where: int) -> None:
    value = encoded()
    where %= len(value)
    batch = decoded((b"t1", value[:where] + noise + value[where + len(noise) :]))
    assert len(batch.started) + len(batch.completed) + len(batch.dead_letters) == 1


def vars_of(columns: TripColumns) -> list[np.ndarray]:
    return [getattr(columns, field.name) for field in fields(columns)]
