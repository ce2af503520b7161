"""The site asks nobody but its own host: a page that loads a script, style, picture or font from elsewhere is a warning."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sphinx.application import Sphinx

LOADED = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src", "video": "src", "object": "data"}
OUTSIDE = re.compile(r"^\s*(?:[a-z][a-z0-9+.-]*:)?//", re.IGNORECASE)
IN_STYLES = re.compile(r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')\s]+)", re.IGNORECASE)


class _Loads(HTMLParser):
    """Collects what a browser would fetch for a page from another host."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag that loads something, or carries a style that does."""
        given = dict(attrs)
        address = given.get(LOADED.get(tag, "")) or ""
        if OUTSIDE.match(address) and given.get("rel") not in {"canonical", "license"}:
            self.found.append(address)
        self.found += IN_STYLES.findall(given.get("style") or "")

    def handle_data(self, data: str) -> None:
        """The text of a style or of anything else: an address within `url()` is rare enough in prose."""
        if self.lasttag == "style":
            self.found += IN_STYLES.findall(data)


def outside(path: Path) -> list[str]:
    """Addresses on other hosts that this built file makes a browser load."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".css":
        return IN_STYLES.findall(text)
    page = _Loads()
    page.feed(text)
    return page.found


def check(app: "Sphinx", failed: Exception | None) -> None:
    """Look at everything that was built."""
    from sphinx.util import logging  # noqa: PLC0415 - the rest of this file is tested where Sphinx is not

    if failed is not None or app.builder.format != "html":
        return
    folder = Path(app.outdir)
    for path in sorted((*folder.rglob("*.html"), *folder.rglob("*.css"))):
        for address in outside(path):
            logging.getLogger(__name__).warning("%s loads %s from another host", path.relative_to(folder), address)


def setup(app: "Sphinx") -> dict[str, Any]:
    """Sphinx's entry point."""
    app.connect("build-finished", check)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
