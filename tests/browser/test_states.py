"""The board in each state that the system can be in: driven into it for real, told within seconds, healed by itself."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Watch
from tests.browser.pill import expect_state, pill, seconds_until
from tests.browser.system import System

pytestmark = pytest.mark.timeout(180)

PANELS = ("cards", "traffic", "error", "drift", "retraining", "map", "trips")
Record = Callable[[str, object], None]


@pytest.fixture
def live(system: System, page: Page) -> Page:
    """The page Live, with everything running and trips coming in."""
    system.heal()
    system.crown()
    system.start(*(role for role in ("worker", "api", "dashboard") if role not in system.processes))
    system.flow()
    page.goto("/")
    expect_state(page, "live", 60_000)
    expect(rows(page).first).to_be_visible()
    return page


def rows(page: Page) -> Any:
    return page.locator("#trips-grid .ag-center-cols-container .ag-row, #trips-grid .ag-center-cols-viewport .ag-row")


def banner(page: Page) -> Any:
    return page.locator("#banner")


def waiting(page: Page) -> int:
    """Events that no worker has read, as the banner counts them."""
    found = re.search(r"([\d,]+) events? wait", banner(page).inner_text())
    assert found
    return int(found[1].replace(",", ""))


def versions(page: Page) -> dict[str, str | None]:
    return {name: page.locator(f"#panel-{name}").get_attribute("data-version") for name in PANELS}


def test_booting_says_what_is_awaited_and_goes_on_by_itself(system: System, page: Page) -> None:
    system.start("api", "dashboard")  # no database, no champion, no worker
    page.goto("/")
    expect_state(page, "booting")
    expect(banner(page)).to_contain_text("the database")
    expect(banner(page)).to_contain_text(re.compile(r"since \d\d:\d\d:\d\d"))
    system.heal()
    expect(banner(page)).not_to_contain_text("the database")
    expect(banner(page)).to_contain_text("a worker")


def test_empty_names_the_command_that_produces_data(system: System, page: Page) -> None:
    system.crown()
    system.start("worker")
    page.goto("/")
    expect_state(page, "no_data")
    expect(banner(page)).to_contain_text("tripcast simulate")


def test_live_every_panel_has_something_to_show(live: Page) -> None:
    for name in PANELS:
        panel = live.locator(f"#panel-{name}")
        expect(panel).to_be_visible()
        expect(panel).to_have_attribute("data-error", "")
    expect(live.locator("#panel-cards")).to_contain_text("v1")
    expect(banner(live)).to_be_empty()


def test_stale_tells_when_the_last_event_came_and_greys_the_charts(system: System, live: Page, record_property: Record) -> None:
    system.cease()
    record_property("stale_after_seconds", seconds_until(live, "stale", lambda: None))
    expect(pill(live)).to_contain_text(re.compile(r"STALE \d+ s"))
    expect(banner(live)).to_contain_text(re.compile(r"since \d\d:\d\d:\d\d"))
    expect(live.locator("#panel-traffic")).to_have_attribute("data-stale", "true")
    expect(rows(live).first).to_be_visible()
    record_property("live_again_after_seconds", seconds_until(live, "live", system.flow))


def test_without_the_database_what_was_seen_stays_and_all_comes_back(
    system: System, live: Page, record_property: Record
) -> None:
    before = versions(live)
    record_property("database_down_seen_after_seconds", seconds_until(live, "database_unreachable", system.cut))
    expect(banner(live)).to_contain_text("Database unreachable")
    expect(banner(live)).to_contain_text("old")
    expect(rows(live).first).to_be_visible()
    for name in PANELS:
        expect(live.locator(f"#panel-{name}")).to_be_visible()
    expect(live.locator("body")).not_to_contain_text("Traceback")
    expect(live.locator("body")).not_to_contain_text(re.compile("asyncpg|ConnectionRefused|Errno"))
    record_property("live_again_after_seconds", seconds_until(live, "live", system.heal))
    expect(live.locator("#panel-trips")).not_to_have_attribute("data-version", before["trips"] or "")
    expect(banner(live)).to_be_empty()


def test_with_the_worker_stopped_the_lag_goes_on_rising(system: System, live: Page, record_property: Record) -> None:
    record_property("worker_stopped_seen_after_seconds", seconds_until(live, "worker_stopped", lambda: system.stop("worker")))
    expect(rows(live).first).to_be_visible()
    first = waiting(live)
    expect(banner(live)).not_to_contain_text(f"{first:,} events wait")
    assert waiting(live) > first
    system.start("worker")
    expect_state(live, "live", 60_000)


def test_a_panel_whose_query_fails_says_so_alone(system: System, live: Page) -> None:
    system.sql("revoke select on area_minutes from tripcast_board")
    try:
        expect(live.locator("#panel-map")).not_to_have_attribute("data-error", "")
        for name in PANELS:
            if name != "map":
                expect(live.locator(f"#panel-{name}")).to_have_attribute("data-error", "")
        expect_state(live, "live")
    finally:
        system.sql("grant select on area_minutes to tripcast_board")
    expect(live.locator("#panel-map")).to_have_attribute("data-error", "")


def test_without_the_board_itself_the_page_says_that_it_no_longer_moves(system: System, live: Page, watch: Watch) -> None:
    system.stop("dashboard")
    expect(live.locator("html")).to_have_class(re.compile(r"\blost\b"))
    expect(rows(live).first).to_be_visible()
    system.start("dashboard")
    expect(live.locator("html")).not_to_have_class(re.compile(r"\blost\b"))
    expect_state(live, "live")
    watch.errors.clear()  # the browser itself complained of requests that nobody answered


def test_without_the_api_what_was_seen_stays_and_all_comes_back(system: System, live: Page, record_property: Record) -> None:
    record_property("api_down_seen_after_seconds", seconds_until(live, "api_unreachable", lambda: system.stop("api")))
    expect(rows(live).first).to_be_visible()
    expect(banner(live)).to_contain_text("API unreachable")
    record_property("live_again_after_seconds", seconds_until(live, "live", lambda: system.start("api")))
    expect(live.locator("#panel-trips")).to_have_attribute("data-error", "")
