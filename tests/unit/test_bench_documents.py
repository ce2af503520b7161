"""The tables of docs/performance.md are the results file's; nobody copies a figure by hand."""

from pathlib import Path

import pytest

from benchmarks import documents
from benchmarks.figures import MISSING, Results, table, three_digits
from benchmarks.report import RESULTS

PAGE = "Words before.\n\n<!-- bench:stream:begin -->\nold\n<!-- bench:stream:end -->\n\nWords after.\n"


@pytest.mark.parametrize("page", documents.PAGES, ids=lambda page: page.name)
def test_a_page_has_every_table_and_each_is_as_the_results_have_it(page: Path) -> None:
    assert documents.differences(page.read_text(), Results.read(RESULTS), page) == []


def test_a_table_that_was_changed_by_hand_is_named() -> None:
    results = Results.read(RESULTS)
    text = documents.PAGE.read_text()
    rate = results.rate("stream.events_per_second")
    assert documents.differences(text.replace(rate, "999,999"), results) == [f"stream: differs from {RESULTS.name}"]


def test_a_table_that_the_page_lost_is_named() -> None:
    missing = documents.differences(PAGE, Results({}))
    assert "scale: no table of this name" in missing
    assert not [fault for fault in missing if fault.startswith("stream: no table")]


def test_only_what_stands_between_the_markers_is_written() -> None:
    page = documents.written(PAGE, Results({}))
    assert page.startswith("Words before.\n\n<!-- bench:stream:begin -->\n| what |")
    assert page.endswith("<!-- bench:stream:end -->\n\nWords after.\n")
    assert "old" not in page
    assert documents.written(page, Results({})) == page


@pytest.mark.parametrize("name", documents.KNOWN)
def test_a_figure_that_was_never_measured_is_said_to_be_missing(name: str) -> None:
    assert MISSING in documents.KNOWN[name](Results({}))


def test_a_marker_of_no_table_is_refused() -> None:
    with pytest.raises(KeyError, match="nothing"):
        documents.written("<!-- bench:nothing:begin -->\n\n<!-- bench:nothing:end -->", Results({}))


@pytest.mark.parametrize(
    ("value", "text"), [(65_745.8, "65,700"), (802.3, "802"), (1_999.6, "2,000"), (99.5, "100"), (7.0, "7")]
)
def test_rates_keep_three_digits(value: float, text: str) -> None:
    assert three_digits(value) == text


def test_a_table_of_markdown() -> None:
    assert (
        table(("what", "figure"), [("a", "1"), ("b", ""), ("", "")])
        == "| what | figure |\n|---|---|\n| a | 1 |\n| b | |\n| | |"
    )
