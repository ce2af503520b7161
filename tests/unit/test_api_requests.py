"""What is wrong with a request: one clear sentence each, with a pointer and a reason of the closed list."""

import json
from typing import Any

import pytest

from tests.serving import TRIP, serving

NAIVE = "must name its offset from UTC, as 2016-03-01T17:00:00Z and 2016-03-01T12:00:00-05:00 do."
AREA = "lies outside the service area (latitude 40.5 to 41, longitude -74.3 to -73.7)."
WRONG: list[tuple[str, dict[str, Any], str, str, str]] = [
    ("unknown field", {"colour": "red"}, "/colour", "invalid_schema", "`/colour` is not a known field."),
    ("a trip id", {"trip_id": "t1"}, "/trip_id", "invalid_schema", "`/trip_id` is not a known field."),
    ("text for a number", {"vendor_id": "1"}, "/vendor_id", "invalid_schema", "`/vendor_id` must be an integer, not a text."),
    ("a fraction", {"vendor_id": 1.5}, "/vendor_id", "invalid_schema", "`/vendor_id` must be an integer, not a number."),
    ("true for a number", {"passenger_count": True}, "/passenger_count", "invalid_schema",
     "`/passenger_count` must be an integer, not true or false."),
    ("null", {"dropoff": None}, "/dropoff", "invalid_schema", "`/dropoff` must be an object, not null."),
    ("a huge number", {"vendor_id": 10**30}, "/vendor_id", "invalid_schema", "`/vendor_id` must be 32767 or less."),
    ("no time", {"pickup_at": "noon"}, "/pickup_at", "invalid_schema",
     "`/pickup_at` is not a date and time after RFC 3339, as 2016-03-01T17:00:00Z is."),
    ("a day that is none", {"pickup_at": "2015-02-29T17:00:00Z"}, "/pickup_at", "invalid_schema",
     "`/pickup_at` is not a date and time after RFC 3339, as 2016-03-01T17:00:00Z is."),
    ("a naive time", {"pickup_at": "2016-03-01T17:00:00"}, "/pickup_at", "invalid_schema", f"`/pickup_at` {NAIVE}"),
    ("seconds for a time", {"pickup_at": 1456851600}, "/pickup_at", "invalid_schema",
     "`/pickup_at` must be a time, not an integer."),
    ("a latitude of no planet", {"pickup": {"latitude": 91, "longitude": 0}}, "/pickup/latitude", "invalid_schema",
     "`/pickup/latitude` must be 90.0 or less."),
    ("half a place", {"pickup": {"latitude": 40.7}}, "/pickup/longitude", "invalid_schema", "`/pickup/longitude` is missing."),
    ("a height", {"pickup": {"latitude": 40.7, "longitude": -73.9, "m": 3}}, "/pickup/m", "invalid_schema",
     "`/pickup/m` is not a known field."),
    ("a list for a place", {"pickup": [40.7, -73.9]}, "/pickup", "invalid_schema", "`/pickup` must be an object, not a list."),
    ("another city", {"pickup": {"latitude": 51.5, "longitude": -0.1}}, "/pickup", "outside_service_area",
     f"`pickup` at 51.5, -0.1 {AREA}"),
    ("to another city", {"dropoff": {"latitude": 51.5, "longitude": -0.1}}, "/dropoff", "outside_service_area",
     f"`dropoff` at 51.5, -0.1 {AREA}"),
    ("null island", {"dropoff": {"latitude": 0, "longitude": 0}}, "/dropoff", "coordinates_missing",
     "`dropoff` at 0.0, 0.0 has a coordinate that is zero, which stands for an unknown one."),
    ("a full bus", {"passenger_count": 10}, "/passenger_count", "passenger_count_invalid",
     "`passenger_count` is 10, and must be from 0 to 9."),
    ("no such vendor", {"vendor_id": -1}, "/vendor_id", "vendor_invalid", "`vendor_id` is -1, and must be from 0 to 32767."),
    ("before taxis", {"pickup_at": "1969-07-20T20:17:40Z"}, "/pickup_at", "pickup_time_implausible",
     "`pickup_at` cannot be: 1969-07-20T20:17:40+00:00 is before 2009-01-01 or more than a day from now."),
    ("year one, beyond its edge", {"pickup_at": "0001-01-01T00:00:00+14:00"}, "/pickup_at", "pickup_time_implausible",
     "`pickup_at` cannot be: 0001-01-01T00:00:00+14:00 is before 2009-01-01 or more than a day from now."),
    ("the last year, beyond its edge", {"pickup_at": "9999-12-31T23:59:59-23:59"}, "/pickup_at", "pickup_time_implausible",
     "`pickup_at` cannot be: 9999-12-31T23:59:59-23:59 is before 2009-01-01 or more than a day from now."),
]  # fmt: skip
BODY = json.dumps(TRIP).encode()
NOT_JSON: list[tuple[str, bytes, str, str]] = [
    ("nothing", b"", "invalid_json", "The request body is empty."),
    ("prose", b"home, please", "invalid_json", "The request body is not JSON (byte 0)."),
    ("cut off", BODY[:-1], "invalid_json", "The request body is not JSON."),
    ("too much", BODY + b"}", "invalid_json", f"The request body is not JSON (byte {len(BODY) + 1})."),
    ("not a number", BODY.replace(b"40.75", b"NaN"), "invalid_json",
     "The request body holds NaN, which is not a number in JSON."),
    ("infinity", BODY.replace(b"40.75", b"-Infinity"), "invalid_json",
     "The request body holds -Infinity, which is not a number in JSON."),
    ("a number beyond all", BODY.replace(b"40.75", b"1e999"), "invalid_schema",
     "`/pickup/latitude` is a number too large for this world."),
    ("no UTF-8", b'{"vendor_id": \xff}', "invalid_utf8", "The request body is not UTF-8 text: byte 14."),
    ("a list", b"[]", "invalid_schema", "The request body must be an object, not a list."),
    ("depth", b"[" * 100_000, "invalid_schema", "The request body must be an object, not a list."),
    ("depth inside", b'{"pickup": ' + b'{"latitude":' * 50_000, "invalid_schema",
     "`/pickup/latitude` must be a number, not an object."),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "pointer", "reason", "detail"), [case[1:] for case in WRONG], ids=[c[0] for c in WRONG])
async def test_a_trip_that_cannot_be_is_refused_in_words(
    changes: dict[str, Any], pointer: str, reason: str, detail: str
) -> None:
    async with serving() as api:
        answer = await api.client.post("/predict", json=TRIP | changes)
        in_batch = await api.client.post("/predict/batch", json={"trips": [TRIP, TRIP | changes]})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    problem = answer.json()
    assert problem["errors"] == [{"pointer": pointer, "reason": reason, "detail": detail}]
    assert (problem["detail"], problem["status"], problem["type"]) == (detail, 422, "urn:tripcast:problem:invalid-request")
    assert in_batch.status_code == 422
    [error] = in_batch.json()["errors"]
    assert (error["pointer"], error["reason"]) == (f"/trips/1{pointer}", reason)
    assert api.served.rows == {}


@pytest.mark.parametrize(("body", "reason", "detail"), [case[1:] for case in NOT_JSON], ids=[case[0] for case in NOT_JSON])
async def test_a_body_that_is_no_request_is_refused_in_words(body: bytes, reason: str, detail: str) -> None:
    async with serving() as api:
        answer = await api.client.post("/predict", content=body)
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert (error["reason"], error["detail"]) == (reason, detail)


async def test_a_batch_is_capped_and_never_empty() -> None:
    async with serving(batch=3) as api:
        none = await api.client.post("/predict/batch", json={"trips": []})
        many = await api.client.post("/predict/batch", json={"trips": [TRIP] * 4})
        fit = await api.client.post("/predict/batch", json={"trips": [TRIP] * 3})
    assert none.json()["detail"] == "`/trips` must have 1 item or more."
    assert (many.status_code, many.json()["detail"]) == (422, "`/trips` may have 3 items at most.")
    assert (fit.status_code, len(fit.json()["predictions"])) == (200, 3)


async def test_a_batch_with_refused_trips_says_which_and_predicts_none() -> None:
    wrong = TRIP | {"passenger_count": 11}
    async with serving() as api:
        answer = await api.client.post("/predict/batch", json={"trips": [TRIP, wrong, TRIP] + [wrong] * 30})
    problem = answer.json()
    assert problem["detail"].startswith("31 of 33 trips cannot be predicted, so none is. Trip 1: `passenger_count` is 11")
    assert [error["pointer"] for error in problem["errors"]][:2] == ["/trips/1/passenger_count", "/trips/3/passenger_count"]
    assert len(problem["errors"]) == 20
    assert api.served.rows == {}


async def test_a_body_over_the_limit_is_refused_whether_it_states_its_length_or_not() -> None:
    async def in_parts() -> Any:
        for _ in range(4):
            yield b" " * 600

    async with serving(body_bytes=2048) as api:
        stated = await api.client.post("/predict", content=b" " * 2049)
        unstated = await api.client.post("/predict", content=in_parts())
        wrongly_stated = await api.client.post("/predict", content=b"{}", headers={"content-length": "-5"})
    for answer in (stated, unstated, wrongly_stated):
        assert (answer.status_code, answer.json()["type"]) == (413, "urn:tripcast:problem:too-large")
