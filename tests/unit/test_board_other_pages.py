import base64
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from dashboard import keys
from dashboard.figures import charts, data, dead_letters, grids, notice, service, system
from schemas.http.health import Build, Builds
from schemas.http.snapshot import Panel
from schemas.http.trips import Distribution, HourOfTrips, Replayed
from tests.fakes import api_documents as documents
from tests.fakes import api_trips
from tests.unit.board_reading import texts

UTC_ZONE = ZoneInfo("UTC")
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_the_busiest_and_the_slowest_hour_are_told_in_words():
    hours = [HourOfTrips(number=7, trips=30, mean_minutes=9.0), HourOfTrips(number=23, trips=10, mean_minutes=20.0)]
    assert data.extremes(hours) == (
        "The busiest hour is 07:00 to 08:00, with 75.0 % of all trips; "
        "trips take longest from 23:00 to 00:00, 20.0 min on average."
    )
    assert data.extremes([HourOfTrips(number=7, trips=3, mean_minutes=None)]).endswith("100.0 % of all trips.")
    assert data.extremes([]) == "No trip has been stored yet."


def test_the_page_says_when_its_numbers_are_of_a_sample():
    whole = api_trips.trips_summary()
    assert "5.0 %" in data.sampled(whole)
    assert data.sampled(msgspec.structs.replace(whole, sample_share=1.0)) == "Means and distributions are of all trips."


def test_days_are_counted_from_the_first_to_the_last():
    summary = msgspec.structs.replace(
        api_trips.trips_summary(),
        first_pickup_at=datetime(2026, 1, 1, 23, 59, tzinfo=UTC),
        last_pickup_at=datetime(2026, 1, 3, 0, 1, tzinfo=UTC),
    )
    assert data.days_between(summary) == 3
    assert data.days_between(msgspec.structs.replace(summary, first_pickup_at=None)) is None


def test_what_was_refused_is_told_with_its_reason_and_nothing_as_nothing():
    shown = texts(data.refused(msgspec.structs.replace(api_trips.trips_summary(), quarantined=[])))
    assert {"too_fast", "412", "No event was quarantined."} <= shown


def test_a_histogram_names_its_bins_and_its_middle():
    one = Distribution(name="distance", unit="km", edges=[0.0, 0.5, 2.0, 10.0], counts=[10, 30, 10])
    assert charts.bins(one.edges) == ["0 to 0.5", "0.5 to 2", "2 to 10"]
    assert charts.in_words(one) == "the middle one is in 0.5 to 2 km"
    assert charts.in_words(msgspec.structs.replace(one, counts=[0, 0, 0])) == "there are none"


def test_inputs_are_read_from_the_openapi_document():
    found = {one.name: one for one in service.inputs(documents.openapi())}
    assert set(found) == {
        "vendor_id",
        "passenger_count",
        "pickup_at",
        "pickup.latitude",
        "pickup.longitude",
        "dropoff.latitude",
        "dropoff.longitude",
    }
    assert found["pickup.latitude"].kind == "number"
    assert found["pickup.latitude"].meaning == "-90 to 90. Degrees, WGS84"
    assert all(one.required for one in found.values())


def test_a_field_that_may_be_left_out_is_not_required_nor_is_what_lies_in_it():
    inner = {"type": "object", "properties": {"b": {"type": "integer"}}, "required": ["b"]}
    schema = {"type": "object", "properties": {"a": inner}}
    body = {"content": {"application/json": {"schema": schema}}}
    [found] = service.inputs({"paths": {"/predict": {"post": {"requestBody": body}}}})
    assert (found.name, found.required) == ("a.b", False)


def test_a_document_without_the_route_says_so():
    assert service.inputs({}) == []
    assert "The OpenAPI document does not describe POST /predict." in texts(service.requested([]))


def test_a_missing_thing_is_worse_when_it_is_needed():
    whole = documents.health()
    checks = [msgspec.structs.replace(check, ok=check.name not in {"database", "broker"}) for check in whole.checks]
    shown = texts(service.health(msgspec.structs.replace(whole, status="down", checks=checks), UTC_ZONE))
    assert {"missing, needed", "missing", "answers 503 until it is", "It cannot serve"} <= shown


@pytest.mark.parametrize(("share", "tone"), [(0.0, None), (0.001, "warning"), (0.01, "bad")])
def test_errors_are_coloured_by_how_many_there_are(share, tone):
    assert service.error_tone(share) == tone


def test_roles_that_are_down_are_named():
    roles = documents.system().roles
    assert system.standing(roles) == "Down: trainer."
    unknown = [msgspec.structs.replace(role, up=None if role.name == "board" else True) for role in roles]
    assert system.standing(unknown) == "4 roles are up. Nobody has said where to ask: board."


def test_a_lag_that_was_not_measured_says_why():
    assert "Kafka is away" in texts(system.lag(Panel(version=1, as_of=None, data=None, error="Kafka is away")))


def test_without_builds_the_page_says_how_to_see_them():
    hint = "Set TRIPCAST_CI_REPOSITORY."
    assert hint in texts(system.builds(Builds(builds=[], hint=hint), UTC_ZONE))
    build = Build(name="test", status="completed", conclusion="timed_out", branch="main", commit="0" * 40, at=NOW, url="u")
    assert {"timed out", "00000000"} <= texts(system.builds(Builds(builds=[build], hint=None), UTC_ZONE))


def test_bytes_are_shown_with_offset_hex_and_letters():
    assert dead_letters.hex_dump(b"tripcast\x00\xff") == ("000000  74 72 69 70 63 61 73 74 00 ff                    tripcast..")
    assert dead_letters.hex_dump(b"") == "no bytes"
    assert dead_letters.hex_dump(b"x" * (dead_letters.MOST + 7)).endswith("... 7 bytes more")


def test_bytes_are_for_operators_and_the_page_says_how_to_become_one():
    closed = texts(dead_letters.opened(api_trips.dead_letter(1), UTC_ZONE))
    assert dead_letters.MAKE_KEY in closed
    whole = texts(dead_letters.opened(api_trips.dead_letter(1, whole=True), UTC_ZONE))
    assert dead_letters.MAKE_KEY not in whole
    assert any("74 72 69 70" in text for text in whole)
    assert "traceparent" in whole


def test_a_letter_without_key_value_and_text_is_shown_all_the_same():
    odd = base64.b64encode(b"\xff\xfe").decode()
    letter = msgspec.structs.replace(api_trips.dead_letter(1), key_base64=None, value_base64=odd, headers=[("empty", None)])
    assert {"Key none; value 2 bytes.", "none"} <= texts(dead_letters.opened(letter, UTC_ZONE))


def test_a_replay_asks_first_and_tells_what_it_did():
    assert dead_letters.question(3, None).startswith("Publish 3 chosen dead letters ")
    assert "all dead letters of the reason invalid_json" in dead_letters.question(0, "invalid_json")
    assert dead_letters.result(Replayed(chosen=0, published=0)).startswith("Nothing was published")
    assert "1 could not be" in dead_letters.result(Replayed(chosen=2, published=1))


@pytest.mark.parametrize("key", [None, "", "short", "tc_with blank inside", "tc_line\nbreak", "tc_schlüssel-schlüssel", 7])
def test_what_cannot_be_a_key_is_never_put_into_a_header(key):
    assert not keys.usable(key)


def test_a_key_may_be_pasted_with_blanks_around_it():
    assert keys.usable(" tc_0123456789 \n")
    assert keys.cleaned(" tc_0123456789 \n") == "tc_0123456789"


def test_a_grid_is_as_high_as_its_rows_within_limits():
    heights = [int(grids.height(rows, 9)["height"].removesuffix("px")) for rows in (0, 2, 5, 9, 900)]
    assert heights[0] == heights[1] < heights[2] < heights[3] == heights[4]


def test_what_is_kept_says_since_when_and_what_never_came_says_so():
    assert "Shown is what was read at 2026-03-02 12:00:00." in " ".join(texts(notice.kept("The API is away.", NOW, UTC_ZONE)))
    assert "Nothing has been read yet" in " ".join(texts(notice.kept("The API is away.", None, UTC_ZONE)))


def test_a_click_and_the_enter_key_ask_for_a_row_and_a_tick_does_not():
    assert grids.asked_for({"rowId": "17", "colId": "reason"}) == 17
    assert grids.asked_for({"data": {"rowId": "17"}, "timestamp": 1}) == 17
    assert grids.asked_for({"rowId": "17", "colId": "ag-Grid-SelectionColumn"}) is None
    nothing: list[object] = [None, {}, {"rowId": "first"}, {"data": None}, "17"]
    for event in nothing:
        assert grids.asked_for(event) is None
