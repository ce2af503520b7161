"""Which pages there are and who makes each; the files are committed, so that a code forge shows them too."""

from collections.abc import Callable
from pathlib import Path

from docs._generate import commands, events, http_api, metrics, settings

FOLDER = Path(__file__).parents[1] / "reference"
NOTE = "<!-- Made from the code by `make reference`; not to be edited. -->\n\n"
PAGES: dict[str, Callable[[], str]] = {
    "commands.md": commands.page,
    "events.md": events.page,
    "http-api.md": http_api.page,
    "metrics.md": metrics.page,
    "settings.md": settings.page,
}


def text_of(name: str) -> str:
    """A page as it should be now; the same on every machine."""
    return NOTE + PAGES[name]().rstrip() + "\n"


def write() -> None:
    """Write every page."""
    FOLDER.mkdir(exist_ok=True)
    for name in PAGES:
        (FOLDER / name).write_text(text_of(name), encoding="utf-8")


def differences() -> list[str]:
    """Names of pages that are missing, stale or nobody's."""
    present = {path.name: path.read_text(encoding="utf-8") for path in FOLDER.glob("*")}
    nobodys = [name for name in present if name not in PAGES]
    return sorted([*nobodys, *(name for name in PAGES if present.get(name) != text_of(name))])
