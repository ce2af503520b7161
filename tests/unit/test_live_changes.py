"""What a browser is sent each second: what changed, once, and never a blank for what it had."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from dash import Patch

from dashboard.drawings import Drawings
from dashboard.frame.status import Shown
from dashboard.live import panels, trips
from dashboard.live.changes import Scene, changes
from dashboard.page import News
from dashboard.pages.live import all_read
from dashboard.view import View
from schemas.http.snapshot import LatestTrips, Panel, Snapshot
from tests.fakes.api_snapshot import City

NOW = 1_795_430_000.0
VIEW = View()


class Clock:
    now = NOW

    def __call__(self) -> float:
        return self.now


class Browser:
    """Remembers what it was told, as a real one does."""

    def __init__(self, drawings: Drawings, view: View = VIEW) -> None:
        self.drawings = drawings
        self.view = view
        self.known: Mapping[str, str] = {}

    def told(self, snapshot: Snapshot, state: Shown = "live") -> News:
        news = changes(Scene(self.view, state, snapshot, City().areas(), self.drawings), self.known)
        self.known = news.known
        return news


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def city(clock: Clock) -> City:
    return City(clock=clock)


@pytest.fixture
def browser() -> Browser:
    return Browser(Drawings())


def look(city: City, boot: str = "boot") -> Snapshot:
    return city.snapshot(boot, "15m", None)


def test_a_new_page_is_given_everything(city: City, browser: Browser) -> None:
    news = browser.told(look(city))
    for name in panels.TITLES:
        assert f"panel-{name}" in news.props
    for filled in ("card-latency", "traffic", "error", "drift-rows", "episodes", "map", "map-table", "trips-news"):
        assert filled in news.props


def test_what_did_not_change_is_not_sent_again(city: City, browser: Browser) -> None:
    browser.told(look(city))
    assert browser.told(look(city)).props == {}


def test_only_panels_with_a_new_version_are_sent(city: City, clock: Clock, browser: Browser) -> None:
    clock.now = NOW - NOW % 10
    browser.told(look(city))
    clock.now += 1
    news = browser.told(look(city))
    assert "traffic" in news.props
    assert not {"error", "drift-rows", "episodes", "map"} & set(news.props)


def test_twenty_browsers_cost_the_drawing_of_one(city: City) -> None:
    drawings = Drawings()
    snapshot = look(city)
    Browser(drawings).told(snapshot)
    made = drawings.made
    for _ in range(20):
        Browser(drawings).told(snapshot)
    assert drawings.made == made


def test_the_maps_geometry_is_sent_once_and_then_only_values(city: City, clock: Clock, browser: Browser) -> None:
    first = browser.told(look(city)).props["map"]["figure"]
    clock.now += 2
    then = browser.told(look(city)).props["map"]["figure"]
    assert first["data"][0]["geojson"]["features"]
    assert isinstance(then, Patch)


def test_without_webgl_there_is_a_table_and_no_map(city: City) -> None:
    news = Browser(Drawings(), replace(VIEW, webgl=False)).told(look(city))
    assert "map" not in news.props
    assert news.props["map-table"]["children"]


def rows_after(had: list[dict[str, Any]], made: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the grid does with a transaction."""
    changed = {row["trip_id"]: row for row in made["update"]}
    kept = [changed.get(row["trip_id"], row) for row in had if row["trip_id"] not in made["remove"]]
    return [*made["add"], *kept]


def test_transactions_lead_from_what_a_browser_has_to_what_it_should_have(city: City, clock: Clock, browser: Browser) -> None:
    rows = browser.told(look(city)).props["trips-news"]["data"]["rows"]
    for _ in range(3):
        clock.now += 7
        snapshot = look(city)
        made = browser.told(snapshot).props["trips-news"]["data"]
        assert made["add"]
        assert made["update"]
        rows = rows_after(rows, made)
        assert snapshot.trips.data is not None
        assert rows == trips.rows_of(snapshot.trips.data, VIEW)


def test_a_browser_whose_rows_are_forgotten_is_given_all(city: City, clock: Clock, browser: Browser) -> None:
    browser.told(look(city))
    browser.drawings = Drawings()
    clock.now += 1
    assert len(browser.told(look(city)).props["trips-news"]["data"]["rows"]) == 200


def test_a_panel_that_had_data_is_never_blanked(city: City, clock: Clock, browser: Browser) -> None:
    browser.told(look(city))
    clock.now += 10
    snapshot = look(city, boot="boot-2")
    nothing: Panel[Any] = Panel(version=0, as_of=None, data=None, error="The database does not answer.")
    hollow = msgspec.structs.replace(snapshot, map=nothing, trips=nothing, error=nothing)
    news = browser.told(hollow)
    assert not {"map", "trips-news", "error"} & set(news.props)
    assert not any("empty" in str(props.get("className", "")) for props in news.props.values())


def test_data_of_another_period_do_not_stay(city: City, browser: Browser) -> None:
    browser.told(look(city))
    browser.view = View(period="24h")
    snapshot = city.snapshot("boot", "24h", None)
    waiting: Panel[Any] = Panel(version=0, as_of=None, data=None)
    news = browser.told(msgspec.structs.replace(snapshot, error=waiting))
    assert "empty" in news.props["panel-error"]["className"].split()


def test_a_page_that_is_opened_paused_stands_still_when_each_panel_was_read_once(city: City) -> None:
    snapshot = look(city)
    waiting: Panel[Any] = Panel(version=0, as_of=None, data=None)
    failed: Panel[Any] = Panel(version=0, as_of=None, data=None, error="The database does not answer.")
    assert all_read(snapshot)
    assert not all_read(msgspec.structs.replace(snapshot, trips=waiting))
    assert not all_read(msgspec.structs.replace(snapshot, map=failed))


def test_only_the_panel_that_failed_says_so(city: City, browser: Browser) -> None:
    city.broken = frozenset({"error"})
    news = browser.told(look(city))
    assert news.props["panel-error"]["data-error"] == "This question took too long; it is asked again."
    assert news.props["panel-error"]["data-stale"] == "true"
    assert "took too long" in news.props["note-error"]["children"]
    assert news.props["panel-traffic"]["data-error"] == ""
    assert news.props["panel-traffic"]["data-stale"] == "false"


def test_a_stale_page_greys_what_it_shows_and_says_as_of_when(city: City, browser: Browser) -> None:
    snapshot = look(city)
    browser.told(snapshot)
    news = browser.told(snapshot, "stale")
    assert {f"panel-{name}" for name in panels.TITLES} <= set(news.props)
    assert "stale" in news.props["panel-traffic"]["className"].split()
    assert news.props["note-traffic"]["children"].startswith("as of ")


def test_rows_that_did_not_change_make_an_empty_transaction(city: City) -> None:
    told = look(city).trips.data
    assert told is not None
    assert not any(trips.transaction(told, LatestTrips(rows=list(told.rows)), VIEW).values())


def test_a_chart_is_sent_whole_once_and_then_only_its_lines(city: City, clock: Clock, browser: Browser) -> None:
    first = browser.told(look(city)).props["traffic"]["figure"]
    clock.now += 1
    then = browser.told(look(city)).props["traffic"]["figure"]
    assert first["layout"]["xaxis"]
    assert [step["location"] for step in then.to_plotly_json()["operations"]] == [["data"], ["layout", "shapes"]]


def test_another_theme_or_period_is_drawn_whole(city: City, browser: Browser) -> None:
    snapshot = look(city)
    browser.told(snapshot)
    for view in (View(theme="dark"), View(theme="dark", period="1h")):
        browser.view = view
        assert not isinstance(browser.told(snapshot).props["error"]["figure"], Patch)
