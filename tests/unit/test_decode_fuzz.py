"""Whatever bytes come, an event of them is one that PostgreSQL can store, or there is a reason with a name; nothing raises."""

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters.postgres.tables.storable import text
from domain.entities.rejections import Reason
from domain.quality import TripRules
from schemas.topics import MAX_EVENT_BYTES
from stream.decode import MAX_DETAIL, Decoded, decode
from tests.unit.test_decode import COMPLETED, STARTED, Record, encoded

NOW = datetime(2020, 1, 1, tzinfo=UTC)
EVENTS = [json.loads(encoded(STARTED)), json.loads(encoded(COMPLETED))]
ODD: list[Any] = [
    None, True, "", "\x00", "t\x00", "\ud800", "\udfff", "é" * 64, "x" * 65, -0.0, 1e308, 5e-324, 1e400, float("nan"),
    float("inf"), 2**31, 2**63, 2**64, -(2**63) - 1, 10**400, [], {}, [[]], {"latitude": 1},
    "2016-03-01T12:00:00+99:99", "0000-00-00T00:00:00Z",
    "2016-02-30T00:00:00Z", "2016-03-01T23:59:60Z", "9999-12-31T23:59:59.999999999-23:59", "2016-03-01T12:00:00.1234567891234Z",
]  # fmt: skip
values = st.one_of(
    st.sampled_from(ODD),
    st.text(max_size=80),
    st.integers(),
    st.floats(),
    st.recursive(st.none(), lambda part: st.lists(part, max_size=2) | st.dictionaries(st.text(max_size=3), part, max_size=2)),
)
names = st.sampled_from([*EVENTS[0], *EVENTS[1], "latitude", "é", "trip_id\x00", "type ", ""])


@st.composite
def changed(draw: st.DrawFn) -> bytes:
    """A good event with some fields changed, left out, doubled or nested."""
    fields = [(name, value) for name, value in draw(st.sampled_from(EVENTS)).items() if draw(st.integers(0, 20))]
    fields += draw(st.lists(st.tuples(names, values), max_size=3))
    order = draw(st.permutations(fields))
    parts = [f"{json.dumps(name)}:{json.dumps(value, ensure_ascii=draw(st.booleans()))}" for name, value in order]
    return ("{" + ",".join(parts) + "}").encode("utf-8", errors="surrogatepass")


def check(batch: Decoded, records: int) -> None:
    """One outcome for each record, and each is storable."""
    assert len(batch.started) + len(batch.completed) + len(batch.dead_letters) == records
    for trip_id in (*batch.started.trip_id, *batch.completed.trip_id):
        assert text(trip_id) == trip_id
        assert 1 <= len(trip_id) <= 64
    for places in (batch.started.pickup_latitude, batch.started.dropoff_longitude):
        assert np.isfinite(places).all()
    assert (batch.completed.duration_seconds > 0).all()
    for letter in batch.dead_letters:
        assert isinstance(letter.reason, Reason)
        assert 0 < len(letter.detail) <= MAX_DETAIL
        assert text(letter.detail) == letter.detail
        letter.detail.encode()  # as a header beside it in quarantine


def outcome(key: bytes | None, value: bytes | None, **of_record: Any) -> Decoded:
    """Of the record alone and between two good ones: the neighbours are kept."""
    good = encoded()
    alone = decode({0: [Record(0, key, value, **of_record)]}, TripRules(), NOW)
    check(alone, 1)
    records = [Record(0, b"t1", good), Record(1, key, value, **of_record), Record(2, b"t1", good)]
    between = decode({0: records}, TripRules(), NOW)
    check(between, 3)
    assert {0, 2} <= set(between.started_records.offset.tolist())
    return alone


@given(changed(), st.sampled_from([b"t1", b"t\x00", "é".encode() * 64, b"", None]))
@settings(max_examples=400, deadline=None)
def test_no_change_of_an_event_raises_or_brings_what_cannot_be_stored(value: bytes, key: bytes | None) -> None:
    outcome(key, value)
    own = json.loads(value.decode("utf-8", errors="replace")).get("trip_id")
    outcome(str(own).encode("utf-8", errors="surrogatepass"), value)  # the key that goes with it


@given(st.none() | st.binary(max_size=300), st.none() | st.binary(max_size=300), st.integers(-(2**63), 2**63 - 1))
@example(b"t1", b"\xef\xbb\xbf" + encoded(), 0)
@example(b"t1", encoded().decode().encode("utf-16"), 0)
@example(b"t1", b"\x1f\x8b" + encoded(), 0)
@settings(max_examples=300, deadline=None)
def test_no_bytes_raise(key: bytes | None, value: bytes | None, timestamp: int) -> None:
    outcome(key, value, timestamp=timestamp, headers=(("traceparent", value), ("\x00", key), ("traceparent", None)))


def test_no_depth_length_or_repetition_raises() -> None:
    good = encoded()
    inside = good[:-1] + b',"type":"trip.completed.v1"}'
    for value in (
        b" " * MAX_EVENT_BYTES,
        good + b" " * (MAX_EVENT_BYTES - len(good)),
        b"[" * MAX_EVENT_BYTES,
        b'{"a":' * 10_000,
        b'{"type":' + b"[" * 30_000,
        b'{"trip_id":"' + b"\\u0000" * 10_000 + b'"}',
        b"{" + b'"type":"trip.started.v1",' * 2_000 + good[1:],
        inside,
        b"x" * 5_000_000,
        b"9" * MAX_EVENT_BYTES,
        b"-" + b"0." + b"1" * 60_000,
        b'"' + b"\\ud800" * 10_000 + b'"',
    ):
        outcome(b"t1", value)
