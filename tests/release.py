"""`make check-tag` and `make release-notes`: is a tag the version, and what is in it. Standard library alone."""

import re
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parent.parent


def version() -> str:
    """Of pyproject.toml."""
    found: str = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    return found


def section(changelog: str, of: str) -> str | None:
    """The text below the heading of a version, or None."""
    found = re.search(rf"^## {re.escape(of)}(?![\w.-])[^\n]*\n(.*?)(?=^## |\Z)", changelog, flags=re.MULTILINE | re.DOTALL)
    return found.group(1).strip() if found else None


def problem(tag: str, of: str, changelog: str) -> str | None:
    """Why this tag cannot be released; None when it can."""
    if tag != f"v{of}":
        return f"the tag is {tag or 'not given'}, the version in pyproject.toml is {of}: it must be v{of}"
    return None if section(changelog, of) else f"CHANGELOG.md has no section about {of}"


def notes(text: str, before: str | None, commits: Sequence[str]) -> str:
    """The section, then the commits since the release before; of a first release, all of them would tell nobody anything."""
    if before is None:
        return f"{text}\n"
    return "\n".join([text, "", f"### Commits since {before}", "", *(f"- {commit}" for commit in commits), ""])


def commits_of(tag: str) -> tuple[str | None, list[str]]:
    """The tag before, and the subjects of the commits since then, the newest first. A tag that is not set yet: up to now."""
    there = _git("tag", "--list", tag)
    until = tag if there else "HEAD"
    older = [each for each in _git("tag", "--list", "v*", "--merged", until, "--sort=-version:refname") if each != tag]
    before = older[0] if older else None
    return before, _git("log", "--format=%s", "--no-merges", f"{before}..{until}" if before else until)


def _git(*arguments: str) -> list[str]:
    run = subprocess.run(["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=True)
    return run.stdout.splitlines()


def main(what: str, tag: str) -> str | None:
    """Run one of the two; what to say when it failed."""
    tag = tag or (f"v{version()}" if what == "notes" else "")
    changelog = (ROOT / "CHANGELOG.md").read_text()
    if wrong := problem(tag, version(), changelog):
        return wrong
    if what == "notes":
        sys.stdout.write(notes(section(changelog, version()) or "", *commits_of(tag)))
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2]))
