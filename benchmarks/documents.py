"""Writes the tables of docs/performance.md and docs/scaling.md anew from the results file; `--check` only says what differs.

A table stands between `<!-- bench:NAME:begin -->` and `<!-- bench:NAME:end -->`; the words around it are written by hand.
"""

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path

from rich.console import Console

from benchmarks.api import table as api
from benchmarks.figures import Results
from benchmarks.report import RESULTS
from benchmarks.scale import table as scale
from benchmarks.storage import scaling
from benchmarks.storage import table as storage
from benchmarks.stream import table as stream
from benchmarks.training import table as training

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "performance.md"
TABLES: dict[str, Callable[[Results], str]] = {
    **stream.TABLES,
    **scale.TABLES,
    **api.TABLES,
    **training.TABLES,
    **storage.TABLES,
}
KNOWN = TABLES | scaling.TABLES
PAGES = {PAGE: TABLES, DOCS / "scaling.md": scaling.TABLES}
MARKED = re.compile(r"(<!-- bench:([\w-]+):begin -->\n).*?(\n<!-- bench:\2:end -->)", re.DOTALL)


def written(text: str, results: Results) -> str:
    """The page with every table as the results have it. Raises KeyError for a marker of no known table."""
    return MARKED.sub(lambda found: f"{found[1]}{KNOWN[found[2]](results)}{found[3]}", text)


def marked(text: str) -> list[str]:
    """The names of the tables that the page has, in order."""
    return [found[1] for found in MARKED.findall(text)]


def differences(text: str, results: Results, page: Path = PAGE) -> list[str]:
    """Sentences about tables that are missing on a page, or that are not as the results have them."""
    missing = [f"{name}: no table of this name" for name in PAGES[page] if name not in marked(text)]
    pairs = zip(MARKED.finditer(text), MARKED.finditer(written(text, results)), strict=True)
    return missing + [f"{old[2]}: differs from {RESULTS.name}" for old, new in pairs if old[0] != new[0]]


def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(prog="benchmarks.documents", description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing, name what differs")
    texts, results = {page: page.read_text() for page in PAGES}, Results.read(RESULTS)
    if parser.parse_args().check:
        found = [fault for page, text in texts.items() for fault in differences(text, results, page)]
        Console(stderr=True).print("\n".join(found) or "every table is as the results have it")
        return int(bool(found))
    for page, text in texts.items():
        page.write_text(written(text, results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
