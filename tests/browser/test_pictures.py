"""The pictures of the documentation: a simulated city that slows down, and what the board shows when it has been learnt.

Made only when asked for: `make pictures`.
"""

import io
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from cli.embedded.ports import HOST, free_ports
from tests.browser.pill import expect_state

FOLDER = Path(os.environ["PICTURES"])
pytestmark = pytest.mark.timeout(1800)

CITY = ["--speed", "600", "--slowdown", "1.5", "--slowdown-after", "300"]  # learnt within some minutes, see tests/e2e
LEARNT = "watch passed"
WIDTH, LARGEST_BYTES = 1280, 250_000
PALETTES = (256, 128, 64, 32)


@pytest.fixture(scope="module")
def board(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of the board of a whole local stack, once the city has changed and been learnt anew."""
    data, port = tmp_path_factory.mktemp("stack"), free_ports(1)[0]
    command = [sys.executable, "-P", "-m", "cli", "up", "--data", str(data), *CITY]
    environment = {**os.environ, "TRIPCAST_BOARD_PORT": str(port)}
    stack = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    assert stack.stdout is not None
    try:
        assert next((line for line in stack.stdout if line.startswith(LEARNT)), None), "the stack ended too soon"
        yield f"http://{HOST}:{port}"
    finally:
        stack.send_signal(signal.SIGINT)
        stack.communicate(timeout=120)


@pytest.fixture
def page(browser: Browser, board: str) -> Iterator[Page]:
    context = browser.new_context(
        viewport={"width": WIDTH, "height": 900}, base_url=board, timezone_id="America/New_York", color_scheme="light"
    )
    yield context.new_page()
    context.close()


def test_live(page: Page) -> None:
    page.goto("/?period=15m")
    expect(page.locator("#trips-grid [row-id]").first).to_be_visible()
    take(page, "live", height=1800)


def test_models(page: Page) -> None:
    page.goto("/models")
    expect(page.locator("#page-models")).to_contain_text("xgboost")
    take(page, "models", height=1200)


def test_drift(page: Page) -> None:
    page.goto("/drift?signal=log_ratio&period=15m")
    expect(page.locator("#page-drift .js-plotly-plot").first).to_be_visible()
    take(page, "drift")


def test_try_it(page: Page) -> None:
    page.goto("/try")
    page.get_by_role("button", name="How long will it take?").click()
    expect(page.locator("#try-result")).to_contain_text("min")
    take(page, "try-it", height=1200)


def take(page: Page, name: str, height: int = 900) -> None:
    """A picture of the top of the page, small enough for a repository: as few colours as that needs."""
    page.set_viewport_size({"width": WIDTH, "height": height})
    page.wait_for_load_state("load")
    page.wait_for_timeout(5000)  # charts are drawn over several frames, and nothing tells when the last one was
    expect_state(page, "live")
    picture = Image.open(io.BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    sizes = (small(picture, colours) for colours in PALETTES)
    content = next(content for content in sizes if len(content) <= LARGEST_BYTES)
    FOLDER.mkdir(parents=True, exist_ok=True)
    (FOLDER / f"{name}.png").write_bytes(content)


def small(picture: Image.Image, colours: int) -> bytes:
    """As a PNG with a palette."""
    content = io.BytesIO()
    picture.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(content, "PNG", optimize=True)
    return content.getvalue()
