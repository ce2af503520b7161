"""SECURITY.md says of every threat which test shows the answer, and those tests are there."""

import re

import pytest

from tests.documents import REPOSITORY

TEXT = (REPOSITORY / "SECURITY.md").read_text(encoding="utf-8")
ROWS = [line.strip("|").split("|") for line in TEXT.splitlines() if line.count("|") == 5 and "tests/" in line]
THREATS = (
    *("poisoned labels", "model file", "registry server", "web server", "events", "requests", "history", "API abuse", "board"),
    *("logs", "supply chain"),
)


@pytest.mark.parametrize("threat", THREATS)
def test_every_threat_has_an_answer_a_test_and_what_is_left(threat: str) -> None:
    [row] = [row for row in ROWS if threat in row[0]]
    assert [len(cell.strip()) > 5 for cell in row] == [True] * 4
    named = re.findall(r"`(tests/[\w/]+\.py)`", row[2])
    assert named
    assert [name for name in named if "def test_" not in (REPOSITORY / name).read_text(encoding="utf-8")] == []


def test_reports_go_through_the_repository_and_to_no_address() -> None:
    assert "private vulnerability reporting" in TEXT
    assert not re.search(r"[\w.]+@[\w-]+\.\w+", TEXT.replace("user:password@host", ""))
