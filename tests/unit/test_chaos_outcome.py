"""The results of a fault run, and the table that the documents make of them."""

import json
from pathlib import Path
from typing import Any

from tests.chaos.outcome import PAGE, PROMISES, RESULTS, document, save, table


def _line(promise: int, **other: Any) -> dict[str, Any]:
    line = {"promise": promise, "test": "test_it", "full": True, "held": True, "fault": "a kill", "sent": 10, "lost": 0}
    return line | {"doubled": 0, "recovery_s": None, "duration_s": 1.5, "measured": {}, "skipped": ""} | other


def test_a_promise_is_held_only_if_each_of_its_tests_held(tmp_path: Path) -> None:
    path = tmp_path / "chaos.json"
    save([_line(4, recovery_s=2.0), _line(4, held=False, lost=3, recovery_s=7.5), _line(5)], path)
    promises = json.loads(path.read_text())["promises"]
    assert (promises["4"]["held"], promises["4"]["sent"], promises["4"]["lost"], promises["4"]["recovery_s"]) == (
        False,
        20,
        3,
        7.5,
    )
    assert promises["5"]["held"]
    assert "| 4 | a database outage quarantines nothing | a kill; a kill | 20 | 3 | 0 | 7.5 s | **no** |" in table(
        json.loads(path.read_text())
    )


def test_a_promise_tried_alone_leaves_the_results_of_the_others(tmp_path: Path) -> None:
    path = tmp_path / "chaos.json"
    save([_line(4), _line(5)], path)
    save([_line(5, held=False)], path)
    promises = json.loads(path.read_text())["promises"]
    assert {number: tried["held"] for number, tried in promises.items()} == {"4": True, "5": False}


def test_a_promise_that_could_not_be_tried_says_why_and_is_not_held(tmp_path: Path) -> None:
    path = tmp_path / "chaos.json"
    skipped = _line(17, held=False, fault="", sent=0, skipped="needs faketime")
    save(
        [skipped, _line(5), _line(5, held=False, sent=0, skipped="needs root"), _line(6, held=False), skipped | {"promise": 6}],
        path,
    )
    rows = table(json.loads(path.read_text())).splitlines()
    assert any(
        row.startswith("| 17 | clock errors do no harm | not tried (needs faketime) |") and row.endswith("| not tried |")
        for row in rows
    )
    assert next(row for row in rows if row.startswith("| 5 |")).endswith("| not tried |")
    assert next(row for row in rows if row.startswith("| 6 |")).endswith("| **no** |")


def test_the_table_names_every_promise_tried_or_not(tmp_path: Path) -> None:
    path = tmp_path / "chaos.json"
    save([_line(1)], path)
    rows = table(json.loads(path.read_text())).splitlines()
    assert sum("not tried" in row for row in rows) == len(PROMISES) - 1


def test_the_page_keeps_what_is_around_the_table(tmp_path: Path) -> None:
    path = tmp_path / "chaos.json"
    save([_line(1)], path)
    page = "before\n<!-- chaos:begin: by machine -->\nold\n<!-- chaos:end -->\nafter\n"
    new = document(page, json.loads(path.read_text()))
    assert new.startswith("before\n<!-- chaos:begin: by machine -->\n| # |")
    assert new.endswith("<!-- chaos:end -->\nafter\n")
    assert "old" not in new
    assert document(new, json.loads(path.read_text())) == new


def test_the_page_says_what_the_results_say() -> None:
    if RESULTS.exists():
        page = PAGE.read_text()
        assert document(page, json.loads(RESULTS.read_text())) == page
