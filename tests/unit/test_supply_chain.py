"""Every lock is hashed and audited, and an audit that finds something, or cannot ask, fails the run."""

import json
import re
from pathlib import Path

import pytest
import yaml

from tests.audit_locks import REQUIREMENTS, main
from tests.check_locks import LOCKS
from tests.documents import REPOSITORY

FILES = sorted(REQUIREMENTS.glob("*.txt"))
CLEAN = {"dependencies": [{"name": "a", "version": "1", "vulns": []}]}
FOUND = {"dependencies": [{"name": "a", "version": "1", "vulns": [{"id": "OSV-1", "aliases": [], "fix_versions": ["2"]}]}]}
UNASKED = {"dependencies": [{"name": "a", "skip_reason": "not on the index"}]}


def auditor(folder: Path, answer: str) -> str:
    """A stand-in for pip-audit that always says the same, and notes which locks it was asked about."""
    program = folder / "pip-audit"
    program.write_text(f"#!/bin/sh\necho \"$@\" >>{folder}/asked\ncat <<'END'\n{answer}\nEND\n")
    program.chmod(0o755)
    return str(program)


@pytest.mark.parametrize("lock", FILES, ids=lambda path: path.name)
def test_every_package_of_every_lock_is_hashed_and_checked_for_it(lock: Path) -> None:
    assert lock.stem in LOCKS
    named = re.findall(r"^[\w.\[\]-]+==.*?(?=^\S|\Z)", lock.read_text(), re.MULTILINE | re.DOTALL)
    assert named
    assert [package.split("\n")[0] for package in named if "--hash=sha256:" not in package] == []


def test_every_lock_is_audited(tmp_path: Path) -> None:
    assert main(auditor(tmp_path, json.dumps(CLEAN))) is None
    asked = (tmp_path / "asked").read_text()
    assert [path.name for path in FILES if str(path) not in asked] == []
    assert {"--strict", "--require-hashes"} <= set(asked.split())


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (json.dumps(FOUND), "OSV-1, fixed in 2"),
        (json.dumps(UNASKED), "was not audited"),
        ("connection refused", "did not finish"),
    ],
)
def test_an_audit_that_finds_something_or_cannot_ask_has_failed(tmp_path: Path, answer: str, said: str) -> None:
    assert said in (main(auditor(tmp_path, answer)) or "")


def test_the_run_fails_with_the_audit() -> None:
    jobs = yaml.safe_load((REPOSITORY / ".github/workflows/ci.yml").read_text())["jobs"]
    audit = jobs["audit"]
    assert [step["run"] for step in audit["steps"] if "run" in step] == ["make audit"]
    assert not any("continue-on-error" in part or "if" in part for part in (audit, *audit["steps"]))
    assert "audit" in jobs["required"]["needs"]
