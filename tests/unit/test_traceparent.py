"""Which headers are traces, by the W3C's recommendation, and where an event's trace goes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.quality import TripRules
from schemas.headers import TRACEPARENT
from stream.decode import decode
from stream.traceparent import is_sampled, trace_id, traceparent_of
from tests.unit.test_decode import NOW, Record, encoded

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
VALID = f"00-{TRACE}-{SPAN}-01"


def header(value: bytes | None) -> str | None:
    return traceparent_of([("other", b"x"), (TRACEPARENT, value)])


def test_a_valid_header_is_kept_as_it_is() -> None:
    assert header(VALID.encode()) == VALID
    assert (trace_id(VALID), is_sampled(VALID)) == (TRACE, True)
    assert not is_sampled(VALID[:-2] + "02")
    assert is_sampled(VALID[:-2] + "ff")


def test_a_later_version_may_say_more() -> None:
    later = f"cc-{TRACE}-{SPAN}-00"
    assert header(later.encode()) == later
    assert header(f"{later}-what the future holds".encode()) == later


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff",
        VALID.upper().encode(),
        f"ff-{TRACE}-{SPAN}-01".encode(),
        f"0-{TRACE}-{SPAN}-01".encode(),
        f"00-{'0' * 32}-{SPAN}-01".encode(),
        f"00-{TRACE}-{'0' * 16}-01".encode(),
        f"00-{TRACE[1:]}-{SPAN}-01".encode(),
        f"00-{TRACE}-{SPAN}-1".encode(),
        f"00-{TRACE}-{SPAN}-01-more".encode(),
        f"cc-{TRACE}-{SPAN}-01more".encode(),
        f"{VALID}\n".encode(),
        f" {VALID}".encode(),
        VALID.replace("-", "_").encode(),
    ],
)
def test_anything_else_is_as_good_as_none(value: bytes | None) -> None:
    assert header(value) is None


def test_of_two_headers_none_is_believed() -> None:
    assert traceparent_of([(TRACEPARENT, VALID.encode())] * 2) is None


@given(st.binary(max_size=80))
def test_no_bytes_are_too_strange(value: bytes) -> None:
    found = header(value)
    assert found is None or (len(found) == 55 and value.startswith(found.encode()))


def test_each_started_event_keeps_its_own_envelope_and_a_refused_one_none() -> None:
    names = ["a", "refused", "c", "d"]
    values = [encoded(trip_id=name) if name != "refused" else encoded(trip_id=name, passenger_count=-5) for name in names]
    headers = [((TRACEPARENT, VALID.encode()),), ((TRACEPARENT, VALID.encode()),), (("trace", b"x"),), ()]
    stamps = [1_456_833_600_123, 5, -1, 1 << 62]
    records = [
        Record(offset, name.encode(), value, stamp, beside)
        for offset, (name, value, stamp, beside) in enumerate(zip(names, values, stamps, headers, strict=True))
    ]
    found = decode({7: records}, TripRules(), NOW)
    assert found.started.trip_id.tolist() == ["a", "c", "d"]
    assert found.envelopes.traceparent.tolist() == [VALID, None, None]
    published = [str(each) for each in found.envelopes.published_at]
    assert published == ["2016-03-01T12:00:00.123000", "NaT", "9999-12-31T23:59:59.000000"]
    assert [letter.headers for letter in found.dead_letters] == [headers[1]]
