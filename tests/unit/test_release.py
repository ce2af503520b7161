"""Tags, release notes and accepted advisories: what a release is refused for."""

from datetime import date
from pathlib import Path

import pytest

from tests.audit_locks import accepted, problems
from tests.release import ROOT, commits_of, notes, problem, section, version

CHANGELOG = "# Changelog\n\n## 1.2.0\n\n- new\n\n## 1.1.0\n\n- old\n"
ENTRY = '[[advisory]]\nid = "G-1"\npackage = "urllib3"\nwhy = "not called"\nuntil = 2027-01-31\n'


def test_a_tag_that_is_not_the_version_is_refused() -> None:
    assert problem("v1.2.0", "1.2.0", CHANGELOG) is None
    assert "must be v1.2.0" in (problem("v1.2.1", "1.2.0", CHANGELOG) or "")
    assert "must be v1.2.0" in (problem("1.2.0", "1.2.0", CHANGELOG) or "")


def test_a_version_that_the_changelog_does_not_know_is_refused() -> None:
    assert "no section about 1.3.0" in (problem("v1.3.0", "1.3.0", CHANGELOG) or "")


def test_a_section_ends_where_the_next_begins() -> None:
    assert section(CHANGELOG, "1.2.0") == "- new"
    assert section(CHANGELOG, "1.1.0") == "- old"
    assert section(CHANGELOG, "1.2") is None


def test_this_version_can_be_tagged_and_has_notes() -> None:
    text = (ROOT / "CHANGELOG.md").read_text()
    assert problem(f"v{version()}", version(), text) is None
    if (Path(ROOT) / ".git").exists():
        _, commits = commits_of(f"v{version()}")
        assert commits
        assert f"- {commits[0]}" in notes(section(text, version()) or "", "v0.0.1", commits).splitlines()


def test_an_accepted_advisory_passes_until_its_day_and_no_longer() -> None:
    assert accepted(ENTRY, date(2027, 1, 31)) == {"G-1": "urllib3"}
    with pytest.raises(ValueError, match="was accepted until 2027-01-31"):
        accepted(ENTRY, date(2027, 2, 1))
    with pytest.raises(ValueError, match="lacks why"):
        accepted(ENTRY.replace('why = "not called"\n', ""), date(2026, 1, 1))


def test_what_was_not_asked_about_is_no_good_answer() -> None:
    fault = {"id": "P-1", "aliases": ["G-1"], "fix_versions": ["2.9"]}
    report = {
        "dependencies": [
            {"name": "numpy", "version": "2.4", "vulns": []},
            {"name": "urllib3", "version": "2.8", "vulns": [fault]},
            {"name": "uv", "skip_reason": "not found"},
        ]
    }
    assert problems(report, {}) == ["urllib3 2.8: P-1, fixed in 2.9", "uv was not audited: not found"]
    assert problems(report, {"G-1": "urllib3"}) == ["uv was not audited: not found"]
    assert len(problems(report, {"G-1": "numpy"})) == 2
