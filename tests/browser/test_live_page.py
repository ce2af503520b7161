"""The page Live under the hands of a person: what moves, what stays, and what an address keeps."""

import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from tests.browser.conftest import Watch
from tests.browser.pill import expect_state
from tests.browser.system import System
from tests.running import until

pytestmark = pytest.mark.timeout(180)

Record = Callable[[str, object], None]
ROW_SEEN = """
([id, began]) => new Promise((seen) => {
  const look = () => document.querySelector(`#trips-grid [row-id="${id}"]`)
    ? seen((Date.now() - began) / 1000) : requestAnimationFrame(look);
  look();
})
"""
PLACE = """
(element, place) => {
  const map = element._fullLayout.map._subplot.map, at = map.project(place), box = map.getContainer().getBoundingClientRect();
  return [box.left + at.x, box.top + at.y];
}
"""
ELSEWHERE = """
select trip_id from trips where not (pickup_latitude between $1 and $2 and pickup_longitude between $3 and $4)
"""
CLICKS, CLICK_MS = 3, 10_000
RANGE = "(element) => element._fullLayout.xaxis.range"


@pytest.fixture(scope="module", autouse=True)
def running(system: System) -> Iterator[None]:
    """Everything runs, and trips come in."""
    system.heal()
    system.crown()
    system.start("worker", "api", "dashboard")
    system.flow()
    yield
    system.cease()


@pytest.fixture
def live(page: Page) -> Page:
    opened(page, "/")
    return page


def opened(page: Page, address: str) -> None:
    page.goto(address)
    expect(page.locator("#page-live")).to_be_visible()
    expect_state(page, "paused" if "paused=1" in address else "live", 60_000)
    expect(page.locator("#trips-grid [row-id]").first).to_be_visible()


def row(page: Page, trip_id: str) -> Locator:
    return page.locator(f'#trips-grid [row-id="{trip_id}"]').first


def pause(page: Page) -> None:
    """Return when what was under way has come in."""
    page.locator("#pause").click()
    expect_state(page, "paused")
    page.wait_for_load_state("networkidle")


def new_id() -> str:
    return f"seen-{uuid.uuid4().hex[:8]}"


def stored(system: System, trip_id: str) -> None:
    """Return when the API knows the trip and its prediction."""

    async def known() -> bool:
        return bool(await system.world.rows("select 1 from predictions where trip_id = $1", trip_id))

    system.background.run(until(known))


def next_version(page: Page, panel: str) -> None:
    """Return when the panel has been renewed."""
    element = page.locator(f"#panel-{panel}")
    expect(element).not_to_have_attribute("data-version", element.get_attribute("data-version") or "")


def test_a_new_trip_appears_in_the_table(system: System, live: Page, record_property: Record) -> None:
    trip_id = new_id()
    began = live.evaluate("Date.now()")
    system.publish(trip_id)
    record_property("trip_seen_after_seconds", live.evaluate(ROW_SEEN, [trip_id, began]))


def test_pause_really_pauses_and_goes_on_with_what_is_new(system: System, live: Page, watch: Watch) -> None:
    pause(live)
    expect(live).to_have_url(re.compile("paused=1"))
    watch.requests.clear()
    trip_id = new_id()
    system.publish(trip_id)
    stored(system, trip_id)
    version = live.locator("#panel-trips").get_attribute("data-version")
    live.wait_for_timeout(2500)  # nothing to await: nothing must happen
    assert watch.requests == []
    assert live.locator("#panel-trips").get_attribute("data-version") == version
    expect(row(live, trip_id)).to_have_count(0)
    live.locator("#pause").click()
    expect_state(live, "live")
    expect(row(live, trip_id)).to_be_visible()


def test_a_shared_address_restores_the_view(page: Page) -> None:
    opened(page, "/?period=1h&theme=dark&metric=error&end=dropoff&paused=1")
    expect(page.locator("#period input[value='1h']")).to_be_checked()
    assert page.evaluate("document.documentElement.dataset.theme") == "dark"
    expect(page.locator("#pause")).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#metric input[value='error']")).to_be_checked()
    expect(page.locator("#end input[value='dropoff']")).to_be_checked()


def test_what_is_chosen_goes_into_the_address(live: Page) -> None:
    live.locator("#period").get_by_text("5 min", exact=True).click()
    expect(live).to_have_url(re.compile("period=5m"))
    live.locator("#theme").click()
    expect(live).to_have_url(re.compile("theme=dark"))
    live.locator("#nav-overview").click()
    expect(live).to_have_url(re.compile(r"/overview\?.*period=5m"))
    live.go_back()
    expect(live.locator("#page-live")).to_be_visible()
    expect(live.locator("#period input[value='5m']")).to_be_checked()


def test_zoom_survives_updates(live: Page) -> None:
    chart = live.locator("#panel-traffic .js-plotly-plot").first
    expect(chart.locator(".scatterlayer .trace").first).to_be_visible()
    whole = chart.evaluate(RANGE)
    drag_across(live, chart.locator(".nsewdrag").first)
    zoomed = chart.evaluate(RANGE)
    assert zoomed != whole
    for _ in range(3):
        next_version(live, "traffic")
    assert chart.evaluate(RANGE) == zoomed


def drag_across(page: Page, plot: Locator) -> None:
    """Choose the middle third of the time axis."""
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    assert box
    height = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 3, height)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 2 / 3, height, steps=5)
    page.mouse.up()


def test_a_click_on_the_map_filters_and_the_chip_removes_the_filter(system: System, live: Page) -> None:
    area = click_a_busy_cell(system, live)
    chip = live.locator("#area-chip")
    expect(chip).to_be_visible()
    expect(chip).to_contain_text(areas_of(system)[area]["name"])
    trips = system.ask(f"/snapshot?period=15m&area={area}").json()["trips"]["data"]["rows"]
    assert trips
    assert {trip["pickup_area"] for trip in trips} == {area}
    elsewhere = system.sql(ELSEWHERE, *(areas_of(system)[area][side] for side in ("south", "north", "west", "east")))
    assert elsewhere
    shown = {element.get_attribute("row-id") for element in live.locator("#trips-grid [row-id]").all()}
    assert shown
    assert shown.isdisjoint({each["trip_id"] for each in elsewhere})
    chip.click()
    expect(live).not_to_have_url(re.compile("area="))
    expect(chip).to_have_count(0)


def areas_of(system: System) -> dict[int, Any]:
    return {each["area"]: each for each in system.ask("/areas").json()["areas"]}


def click_a_busy_cell(system: System, page: Page) -> int:
    """Click the middle of the cell with most pick-ups, where the map draws it; its number, when the address has it.

    The map is drawn anew when its numbers change. On a busy machine a click may meet that; then a person clicks again.
    """
    area = busiest_area(system)
    cell = areas_of(system)[area]
    chart = page.locator("#map .js-plotly-plot, #map.js-plotly-plot")
    chart.scroll_into_view_if_needed()
    for _ in range(CLICKS):
        x, y = chart.evaluate(PLACE, [(cell["west"] + cell["east"]) / 2, (cell["south"] + cell["north"]) / 2])
        page.mouse.click(x, y)
        with suppress(PlaywrightTimeout):
            page.wait_for_url(re.compile(rf"area={area}\b"), timeout=CLICK_MS)
            return area
    raise AssertionError(f"{CLICKS} clicks on {cell['name']} and still {page.url}")


def busiest_area(system: System) -> int:
    """That of the map, once it has trips."""
    pickups: list[dict[str, int]] = []

    async def some() -> bool:
        answer = system.ask("/snapshot")
        data = answer.json()["map"]["data"] if answer.is_success else None
        pickups[:] = data["pickups"] if data else []
        return bool(pickups)

    system.background.run(until(some))
    return max(pickups, key=lambda cell: cell["trips"])["area"]


def test_the_keyboard_reaches_everything(live: Page) -> None:
    live.locator("body").press("Tab")
    reached: set[str] = set()
    for _ in range(80):
        found: Any = live.evaluate(
            "() => { const ids = []; for (let e = document.activeElement; e; e = e.parentElement) if (e.id) ids.push(e.id);"
            " return ids; }"
        )
        reached |= set(found)
        live.keyboard.press("Tab")
    assert {"nav-live", "nav-models", "pause", "period", "theme", "panel-cards", "trips-grid"} <= reached


def test_a_row_opens_a_drawer_with_the_whole_story(live: Page) -> None:
    pause(live)
    first = live.locator("#trips-grid [row-id]").first
    trip_id = first.get_attribute("row-id") or ""
    first.locator(".ag-cell").first.click()
    drawer = live.get_by_role("dialog")
    expect(drawer).to_be_visible()
    expect(drawer).to_contain_text(trip_id)
    live.keyboard.press("Escape")
    expect(drawer).not_to_be_visible()
