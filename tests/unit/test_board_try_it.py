import json
import math
import shlex
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import msgspec
import pytest

from dashboard.figures import city_map, try_it
from dashboard.figures.city_map import End
from dashboard.figures.try_it import Typed
from schemas.http.predictions import PredictionRequest
from schemas.http.problems import FieldProblem, Problem
from tests.fakes import api_documents as documents
from tests.fakes.api_snapshot import City
from tests.unit.board_reading import texts

CITY = ZoneInfo("America/New_York")
AREAS = City().areas()
TYPED = Typed(40.75, -73.98, 40.64, -73.78, 2, 1, "2026-07-01 12:00:00")


def test_the_request_holds_what_was_typed_with_the_citys_offset():
    request = try_it.request_of(TYPED, CITY)
    assert msgspec.to_builtins(request) == {
        "vendor_id": 1,
        "passenger_count": 2,
        "pickup_at": "2026-07-01T12:00:00-04:00",
        "pickup": {"latitude": 40.75, "longitude": -73.98},
        "dropoff": {"latitude": 40.64, "longitude": -73.78},
    }


def test_the_curl_line_asks_exactly_the_same():
    request = try_it.request_of(TYPED, CITY)
    words = shlex.split(try_it.curl(request, "http://127.0.0.1:8000", needs_key=False))
    assert words[:3] == ["curl", "-s", "http://127.0.0.1:8000/predict"]
    assert msgspec.json.decode(words[words.index("-d") + 1], type=PredictionRequest) == request
    assert "Authorization: Bearer $TRIPCAST_KEY" in try_it.curl(request, "http://x", needs_key=True)


def test_what_is_wrong_goes_to_the_api_as_it_is_and_only_the_time_is_understood_here():
    odd = TYPED._replace(passengers=2.5, pickup_latitude="")
    assert json.loads(msgspec.json.encode(try_it.request_of(odd, CITY)))["passenger_count"] == 2.5
    for time in (None, "", "soon", "2026-03-08 02:30:00"):
        with pytest.raises(ValueError, match=r"."):
            try_it.request_of(TYPED._replace(time=time), CITY)


def test_the_pickers_time_is_told_with_its_offset_on_that_day():
    assert try_it.offset_words("2026-07-01 12:00:00", CITY) == "City time, America/New_York (UTC-04:00)"
    assert try_it.offset_words("2026-01-01 12:00:00", CITY).endswith("(UTC-05:00)")
    assert try_it.offset_words(None, CITY) == "City time, America/New_York"


def test_the_form_begins_with_a_few_minutes_ago_in_the_city():
    assert try_it.default_time(datetime(2026, 7, 1, 16, 3, 11, tzinfo=UTC), CITY) == "2026-07-01 11:58:00"


def test_the_form_begins_inside_the_service_area_wherever_it_lies():
    assert city_map.starts(AREAS) == city_map.STARTS
    far = msgspec.structs.replace(AREAS, south=48.0, north=48.3, west=11.3, east=11.8)
    for latitude, longitude in city_map.starts(far).values():
        assert far.south < latitude < far.north
        assert far.west < longitude < far.east


def test_a_click_is_a_place_and_anything_else_is_none():
    assert city_map.clicked({"points": [{"x": -73.9812345678, "y": 40.75}]}) == (40.75, -73.98123)
    clicks: list[object] = [None, {}, {"points": []}, {"points": [{"curveNumber": 1}]}, "no"]
    for click in clicks:
        assert city_map.clicked(click) is None


def test_places_are_drawn_only_when_both_are_complete():
    assert city_map.chosen([1, 2.5, 3, 4]) == {"pickup": (1, 2.5), "dropoff": (3, 4)}
    assert city_map.chosen([1, "", 3, 4]) is None
    assert city_map.chosen([1, None, 3, 4]) is None


def test_the_marks_of_a_new_choice_go_where_the_map_drew_the_first():
    places: dict[End, tuple[float, float]] = {"pickup": (40.7, -74.0), "dropoff": (40.8, -73.9)}
    figure = city_map.city_map(AREAS, {}, places)
    drawn = figure.data[city_map.PLACES]
    assert {axis: list(drawn[axis]) for axis in ("x", "y")} == city_map.coordinates(places)


def test_every_point_of_the_service_area_can_be_clicked():
    targets = city_map.city_map(AREAS, {}, city_map.starts(AREAS)).data[1]
    rows, columns = targets.z.shape
    reach_north = targets.y0 + (rows - 0.5) * targets.dy
    reach_east = targets.x0 + (columns - 0.5) * targets.dx
    assert math.isclose(targets.y0 - targets.dy / 2, AREAS.south)
    assert math.isclose(targets.x0 - targets.dx / 2, AREAS.west)
    assert math.isclose(reach_north, AREAS.north)
    assert math.isclose(reach_east, AREAS.east)


def test_the_map_begins_where_the_trips_are():
    [busy, *_] = [area for area in AREAS.areas if area.name == "40.775,-73.975"]
    box = city_map.busy_box(AREAS, {busy.name: 1000, AREAS.areas[0].name: 1})
    assert box == (busy.south, busy.north, busy.west, busy.east)
    assert city_map.busy_box(AREAS, {}) == (AREAS.south, AREAS.north, AREAS.west, AREAS.east)


def test_trips_of_an_area_are_those_of_the_champion_mature_or_not():
    quality = documents.quality("area")
    [first, *_] = quality.mature
    young = msgspec.structs.replace(first, mature=False, started=7)
    shadow = msgspec.structs.replace(first, role="challenger", started=10_000)
    both = msgspec.structs.replace(quality, immature=[young, shadow])
    assert city_map.trips_by_area(both)[first.segment] == first.started + 7
    assert city_map.trips_by_area(None) == {}


def test_an_answer_shows_the_apis_numbers_and_nothing_of_our_own():
    shown = texts(try_it.answered(documents.prediction(), 0.0123))
    assert {"12.7 min", "90 % of trips like this one take 9.0 to 18.0 min.", "xgboost, version 7 of trip-duration"} <= shown
    assert any(text.startswith("12.3 ms") for text in shown)


@pytest.mark.parametrize(("high", "end"), [(18.0, 20.0), (20.0, 25.0), (0.4, 5.0), (75.0, 90.0)])
def test_the_bars_scale_ends_beyond_the_interval(high, end):
    assert try_it.scale_end(high) == end


def problem(*errors: FieldProblem, wait: int | None = None) -> Problem:
    return Problem(type="urn:x", title="Refused", status=422, detail="Two things.", errors=errors, retry_after_seconds=wait)


def test_a_problem_marks_the_fields_it_names_and_no_other():
    found = problem(
        FieldProblem("/pickup/latitude", "outside_service_area", "It `lies` in the sea."),
        FieldProblem("/nowhere", "invalid_schema", "What?"),
    )
    marked = try_it.marked(found)
    assert {name: text for name, text in marked.items() if text} == {"try-pickup-latitude": "It lies in the sea."}
    assert set(try_it.marked(None).values()) == {""}


def test_a_problem_is_told_in_the_apis_words():
    found = problem(FieldProblem("/pickup/latitude", "outside_service_area", "It `lies` in the sea."), wait=3)
    shown = texts(try_it.refused(found.title, found.detail, found))
    assert {"Refused", "Two things.", "It lies in the sea.", "Try again in 3 s."} <= shown
