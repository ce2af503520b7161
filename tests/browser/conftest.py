"""A browser, a system to look at, and a page that is watched for errors and for requests to strangers.

All scopes are a module's at most: while a synchronous playwright lives, nothing else in its thread can run an event loop.
"""

import os
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, expect, sync_playwright

from adapters.postgres.admin.local_server import copy_database, drop_database
from cli.embedded.postgres import API, BOARD, OWNER, WORKER, EmbeddedPostgres
from tests.browser.background import Background
from tests.browser.system import NOBODY, Logins, System, new_system
from tests.running import World

HERE = Path(__file__).parent
PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# WebGL for the map without a graphics card; as root Chromium runs without its sandbox only.
ARGUMENTS = ["--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"]
HOW = "no Chromium on this machine: `apt-get install chromium`, or put a google-chrome on the path"
INSIDE = ("data:", "blob:", "about:")  # of the page itself: no request leaves the browser
DESKTOP = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
PATIENCE_MS = 20_000.0  # this machine may be busy: what is promised in less is measured, and told in the summary

collect_ignore = [] if os.environ.get("PICTURES") else ["test_pictures.py"]  # made by `make pictures` only
expect.set_options(timeout=PATIENCE_MS)


def found_program() -> str | None:
    """The browser of this machine."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Without a browser these tests are skipped before anything is started for them; with REQUIRE_BROWSER set they fail."""
    if found_program() is None and not os.environ.get("REQUIRE_BROWSER"):
        for item in items:
            if item.path.parent == HERE:
                item.add_marker(pytest.mark.skip(reason=HOW))


@dataclass  # no slots: playwright keeps notes on it
class Watch:
    """What a page did behind its user's back."""

    origin: str
    errors: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def on(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("request", self._request)

    def strangers(self) -> list[str]:
        """Requests that went anywhere else than to the board."""
        return [url for url in self.requests if not url.startswith((f"{self.origin}/", *INSIDE))]

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.errors.append(f"{message.text} ({message.location.get('url')})")

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The machine's own Chromium."""
    program = found_program()
    if program is None:
        pytest.fail(HOW)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def background() -> Iterator[Background]:
    """For everything asynchronous of these tests."""
    with Background() as background:
        yield background


@pytest.fixture(scope="module")
def logins(postgres_server: EmbeddedPostgres, template_database: str, background: Background) -> Iterator[Logins]:
    """A migrated, empty database of the file's own."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    background.run(copy_database(postgres_server.admin, template_database, name, owner=OWNER))
    yield Logins(*(postgres_server.address(user, name) for user in (OWNER, WORKER, API, BOARD)))
    background.run(drop_database(postgres_server.admin, name))


@pytest.fixture(scope="module")
def registry() -> str:
    """The address of MLflow; a file that needs a real one overrides this."""
    return NOBODY


@pytest.fixture(scope="module")
def world(
    browser: Browser, kafka_address: str, logins: Logins, background: Background, tmp_path_factory: pytest.TempPathFactory
) -> World:
    """Topics and a folder of the file's own. Nothing without a browser."""
    assert browser.is_connected()
    world = World(kafka_address, logins.owner, f"test-{uuid.uuid4().hex[:12]}-", tmp_path_factory.mktemp("board"), [])
    background.run(world.prepare())
    return world


@pytest.fixture(scope="module")
def system(world: World, logins: Logins, registry: str, background: Background) -> Iterator[System]:
    """Everything to run a system with; the file's tests say what runs."""
    system = new_system(background, world, logins, registry)
    try:
        yield system
    finally:
        system.end()


@pytest.fixture
def watch(system: System) -> Watch:
    """What `page` does; tests that expect an error clear it."""
    return Watch(system.board)


@pytest.fixture
def page(browser: Browser, system: System, watch: Watch) -> Iterator[Page]:
    """A page of 1280 by 900; in the end it must have logged no error and asked nobody but the board."""
    yield from _page(browser, system, watch, DESKTOP)


@pytest.fixture
def phone(browser: Browser, system: System, watch: Watch) -> Iterator[Page]:
    """The same on a screen of 390 by 844."""
    yield from _page(browser, system, watch, PHONE)


def _page(browser: Browser, system: System, watch: Watch, viewport: dict[str, int]) -> Iterator[Page]:
    context = browser.new_context(viewport=viewport, base_url=system.board, timezone_id="America/New_York")  # type: ignore[arg-type]
    page = context.new_page()
    watch.on(page)
    yield page
    context.close()
    assert sorted(set(watch.errors)) == []
    assert sorted(set(watch.strangers())) == []
