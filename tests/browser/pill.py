"""The status pill by the browser's own clock: when it changed, measured where a person would see it."""

from collections.abc import Callable

from playwright.sync_api import Locator, Page, expect

RECORD = """
() => {
  window.seenPill = [];
  const note = () => {
    const state = document.getElementById("status-pill")?.dataset.state;
    if (state && state !== window.seenPill.at(-1)?.state) window.seenPill.push({state, at: Date.now()});
  };
  note();
  new MutationObserver(note).observe(document.body, {subtree: true, childList: true, attributes: true});
}
"""
FIRST_SINCE = "([state, since]) => window.seenPill.find((seen) => seen.state === state && seen.at >= since)?.at"


def pill(page: Page) -> Locator:
    """The pill."""
    return page.locator("#status-pill")


def expect_state(page: Page, state: str, patience_ms: float | None = None) -> None:
    """Return when the pill says so."""
    expect(pill(page)).to_have_attribute("data-state", state, timeout=patience_ms)


def seconds_until(page: Page, state: str, cause: Callable[[], object], patience_ms: float | None = None) -> float:
    """From the cause to the pill that tells of it, by the browser's clock. What was promised is told, not asserted."""
    page.evaluate(RECORD)
    began = page.evaluate("Date.now()")
    cause()
    expect_state(page, state, patience_ms)
    seconds: float = (page.evaluate(FIRST_SINCE, [state, began]) - began) / 1000
    return seconds
