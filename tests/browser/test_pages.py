"""Every other page in front of the real system: it opens, it is filled, and what it shows is what the API says."""

import json
import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import PHONE
from tests.browser.system import System

pytestmark = pytest.mark.timeout(180)

PAGES = ("live", "overview", "models", "data", "try-it", "api", "system", "dead-letters", "drift")
PATHS = {"live": "/", "try-it": "/try"}
# Something that only a page with answers from the API can show.
WORDS = {
    "live": "v1",
    "overview": "distance",
    "models": "distance",
    "data": "trips",
    "try-it": "How long will it take?",
    "api": "pickup_at",
    "system": "worker",
    "dead-letters": "invalid_json",
    "drift": "threshold",
}


@pytest.fixture(scope="module")
def registry(mlflow_address: str) -> str:
    """These pages tell of versions and runs."""
    return mlflow_address


@pytest.fixture(scope="module", autouse=True)
def running(system: System) -> Iterator[None]:
    """Everything runs, trips come in, and one event was refused."""
    system.heal()
    system.crown()
    system.start("worker", "api", "dashboard")
    system.flow()
    system.send(b"not json")
    yield
    system.cease()


def path_of(page: str) -> str:
    return PATHS.get(page, f"/{page}")


def test_the_navigation_leads_to_every_page_and_each_is_filled_from_the_api(page: Page) -> None:
    page.goto("/")
    for name in PAGES:
        page.locator(f"#nav-{name}").click()
        expect(page).to_have_url(re.compile(rf"{path_of(name)}(\?|$)"))
        expect(page.locator(f"#page-{name}")).to_contain_text(WORDS[name])


def test_on_a_phone_no_page_is_cut_off(phone: Page) -> None:
    for name in PAGES:
        phone.goto(path_of(name))
        expect(phone.locator(f"#page-{name}")).to_contain_text(WORDS[name])
        assert (name, phone.evaluate("document.documentElement.scrollWidth")) == (name, PHONE["width"])


def test_try_it_shows_the_number_of_the_api(system: System, page: Page) -> None:
    page.goto("/try")
    button = page.get_by_role("button", name="How long will it take?")
    button.click()
    curl = page.locator("#try-result code, #try-result pre").last.inner_text()
    body = re.search(r"(\{.*\})", curl, re.DOTALL)
    assert body
    direct = system.ask("/predict", body[1]).json()
    expect(page.locator("#try-result")).to_contain_text(f"{direct['duration_minutes']:.1f}")
    expect(page.locator("#try-result")).to_contain_text(f"{direct['interval']['upper_seconds'] / 60:.1f}")


def test_try_it_tells_what_is_wrong_in_the_words_of_the_api(system: System, page: Page) -> None:
    page.goto("/try")
    page.locator("#try-pickup-latitude").fill("51.5")
    page.get_by_role("button", name="How long will it take?").click()
    place = {"latitude": 51.5, "longitude": -73.98}
    trip = {"vendor_id": 1, "passenger_count": 1, "pickup_at": "2025-01-06T14:00:00Z", "pickup": place, "dropoff": place}
    problem = system.ask("/predict", json.dumps(trip)).json()
    expect(page.locator("#try-result")).to_contain_text(problem["title"])
