"""The documents against the repository: links, commands, options, settings, make targets and names of tests are real."""

import ast
import re
import runpy
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.main import get_command

from cli.main import COMMANDS, app
from cli.settings import roles
from docs._generate import pages
from tests.documents import DOCS, REPOSITORY, Document, documents, tripcast_calls

PAGES = documents()
NAMES = [page.name for page in PAGES]
SETTING = re.compile(r"TRIPCAST_[A-Z0-9_]*[A-Z0-9]")
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
MAKE = re.compile(r"(?:^|[(;&|]\s*|=\S* )make ([a-z][a-z-]*)", re.MULTILINE)
FIGURE = re.compile(r"(?<![\w.:/-])(\d[\d,]*(?:\.\d+)?) (?:events|requests|times|ms|s\b|GB)")
TEST = re.compile(r"\btest_\w+")
DECISIONS = "docs/decisions/"  # they also name what was not chosen, and are never rewritten
ROLE_OF_SOURCE = {"up": "simulate"}  # what `up` does not know goes to its source
PLACEHOLDER = re.compile(r"\[?[A-Z][A-Z_]*\]?(?:\.\.\.)?|\.\.\.|…")


def every(pattern: "re.Pattern[str]") -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for found in sorted(set(pattern.findall(page.text))):
            yield page.name, found


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_to_a_file_and_a_heading_of_it(page: Document) -> None:
    assert [fault for link in sorted(page.links()) if (fault := _fault(page, link))] == []


def _fault(page: Document, link: str) -> str | None:
    path, _, anchor = link.partition("#")
    target = (page.path.parent / path).resolve() if path else page.path
    if not target.exists():
        return f"{link}: no such file"
    if REPOSITORY.resolve() not in (target, *target.parents):
        return f"{link}: outside of the repository"
    if anchor and target.suffix == ".md" and anchor not in Document(target).anchors():
        return f"{link}: no such heading"
    return None


def test_every_page_is_in_the_table_of_contents() -> None:
    listed = set(re.findall(r"^[\w/*-]+$", Document(DOCS / "index.md").text, re.MULTILINE))
    found = {str(path.relative_to(DOCS).with_suffix("")) for pattern in listed for path in DOCS.glob(f"{pattern}.md")}
    names = {str(page.path.relative_to(DOCS).with_suffix("")) for page in PAGES if DOCS in page.path.parents}
    assert names - found == {"index"}


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_call_of_tripcast_has_a_command_and_options_that_exist(page: Document) -> None:
    calls = [call for text in page.code() for call in tripcast_calls(text)]
    assert [fault for call in calls if (fault := _wrong(call))] == []


def _wrong(words: list[str]) -> str | None:
    """Options by name, values not: pages write FILE where a user has a path."""
    words = [word for word in words if word != "--help"]
    if not words or words[0].startswith("-") or PLACEHOLDER.fullmatch(words[0]):
        return None
    name, rest = words[0], words[1:]
    if name not in COMMANDS:
        return f"tripcast {name}: no such command"
    known = _options(name)
    below = known["commands"]
    if below and rest and not PLACEHOLDER.fullmatch(rest[0]):
        if rest[0] not in below:
            return f"tripcast {name} {rest[0]}: no such command"
        known = below[rest[0]]
    given = {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
    unknown = given - known["options"]
    return f"tripcast {' '.join(words)}: no option {', '.join(sorted(unknown))}" if unknown else None


@pytest.mark.parametrize(
    ("line", "fault"),
    [
        ("tripcast audti", "tripcast audti: no such command"),
        (".venv/bin/tripcast audit --jsn", "tripcast audit --jsn: no option --jsn"),
        ("tripcast keys make NAME", "tripcast keys make: no such command"),
        ("docker compose run --rm tools tripcast audti", "tripcast audti: no such command"),
        ("TRIPCAST_DATA=/data tripcast up --slowdwn=1.5 | head", "tripcast up --slowdwn=1.5: no option --slowdwn"),
        ("tripcast up --slowdown 1.5 && tripcast dead-letters list --json", None),
        ("kubectl -n tripcast get pods", None),
    ],
)
def test_a_call_that_would_fail_is_named(line: str, fault: str | None) -> None:
    faults = [found for call in tripcast_calls(line) if (found := _wrong(call))]
    assert faults == ([fault] if fault else [])


def test_a_link_to_nothing_is_named() -> None:
    readme = Document(REPOSITORY / "README.md")
    assert _fault(readme, "docs/nothing.md") == "docs/nothing.md: no such file"
    assert _fault(readme, "docs/api.md#nothing") == "docs/api.md#nothing: no such heading"
    assert _fault(readme, "docs/api.md#routes") is None


@cache
def _options(name: str) -> dict[str, Any]:
    root: Any = get_command(app)
    command = root.get_command(typer.Context(root), name)
    known = _described(command)
    if name in ROLE_OF_SOURCE:
        known["options"] |= _options(ROLE_OF_SOURCE[name])["options"]
    return known


def _described(command: Any) -> dict[str, Any]:
    below = {name: _described(each) for name, each in getattr(command, "commands", {}).items()}
    return {"options": {option for each in command.params for option in (*each.opts, *each.secondary_opts)}, "commands": below}


def test_every_setting_that_a_page_names_exists() -> None:
    known = {f"TRIPCAST_{name.upper()}" for kind in roles().values() for name in kind.model_fields}
    unknown = [(page, name) for page, name in every(SETTING) if name not in known and not page.startswith(DECISIONS)]
    # A page may speak of a group: `TRIPCAST_AREA_*` is written with what follows, or as a beginning.
    assert [(page, name) for page, name in unknown if not any(each.startswith(f"{name}_") for each in known)] == []


def test_every_make_target_that_a_page_names_exists() -> None:
    files = (REPOSITORY / "Makefile", *(REPOSITORY / "make").glob("*.mk"))
    targets = {target for file in files for target in TARGET.findall(file.read_text())}
    named = [(page.name, target) for page in PAGES for text in page.code() for target in MAKE.findall(text)]
    assert len(named) > 10
    assert [each for each in named if each[1] not in targets] == []


def test_every_test_that_a_page_names_exists() -> None:
    files = list((REPOSITORY / "tests").rglob("test_*.py"))
    names = {file.stem for file in files} | {name for file in files for name in _functions(file.read_text())}
    assert [(page, name) for page, name in every(TEST) if name not in names] == []


def _functions(text: str) -> Iterator[str]:
    return (node.name for node in ast.walk(ast.parse(text)) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_no_page_names_a_file_that_is_not_there() -> None:
    named = re.compile(r"`((?:adapters|api|batch|cli|dashboard|domain|schemas|stream|tests|benchmarks|deploy|make)/[\w./-]+)`")
    wrong = [(page, path) for page, path in every(named) if not path.startswith("make/*") and not (REPOSITORY / path).exists()]
    assert wrong == []


def test_a_page_of_the_reference_that_is_stale_missing_or_nobodys_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pages, "FOLDER", tmp_path)
    monkeypatch.setattr(pages, "PAGES", {name: lambda: "# As the code says" for name in ("same.md", "stale.md", "missing.md")})
    pages.write()
    assert pages.differences() == []
    (tmp_path / "stale.md").write_text("# As it was")
    (tmp_path / "missing.md").unlink()
    (tmp_path / "nobodys.md").write_text("# By hand")
    assert pages.differences() == ["missing.md", "nobodys.md", "stale.md"]


def test_every_figure_of_the_readme_stands_on_a_page_that_says_how_it_was_measured() -> None:
    measured = "".join((DOCS / name).read_text() for name in ("performance.md", "drift-proof.md", "quickstart.md"))
    figures = set(FIGURE.findall(Document(REPOSITORY / "README.md").text.split("## Run it")[1]))
    assert len(figures) > 8
    assert [figure for figure in sorted(figures) if not re.search(rf"(?<![\d.,]){re.escape(figure)}(?![\d])", measured)] == []


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("page.html", '<script src="https://cdn.example/x.js"></script>', ["https://cdn.example/x.js"]),
        ("page.html", '<link rel="stylesheet" href="//fonts.example/css">', ["//fonts.example/css"]),
        ("page.html", '<p><img src="http://example/x.png"></p>', ["http://example/x.png"]),
        ("page.html", "<style>@import 'https://example/x.css';</style>", ["https://example/x.css"]),
        ("page.html", '<a href="https://example/">a link is no load</a><img src="_images/x.png">', []),
        ("style.css", "@font-face{src:url(https://fonts.example/x.woff2)}", ["https://fonts.example/x.woff2"]),
        ("style.css", "a{background:url(data:image/svg+xml;xmlns=http://www.w3.org/2000/svg)}", []),
    ],
)
def test_what_the_site_would_load_from_another_host_is_found(name: str, text: str, found: list[str], tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    assert runpy.run_path(str(DOCS / "_ext" / "inside.py"))["outside"](tmp_path / name) == found


def test_few_blocks_of_readme_and_quick_start_are_not_run() -> None:
    blocks = [block for page in PAGES if page.name in {"README.md", "docs/quickstart.md"} for block in page.shell_blocks()]
    left_out = [block for block in blocks if block.not_run]
    assert len(blocks) >= 14
    assert len(left_out) <= 3, [block.not_run for block in left_out]
