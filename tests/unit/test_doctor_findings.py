"""The doctor's report: each check once, no cascade of the same failure."""

from cli.doctor.findings import Step, Verdict, examine, note, well
from domain.errors import BrokerUnreachable


def broken() -> None:
    raise BrokerUnreachable("Kafka at x does not answer")


def test_a_failure_carries_its_message_and_what_to_do() -> None:
    [finding] = examine([Step("Kafka", broken, "start it")])  # type: ignore[arg-type]
    assert (finding.verdict, finding.found, finding.advice) == (Verdict.WRONG, "Kafka at x does not answer", "start it")


def test_what_needs_a_failed_check_is_skipped_and_so_is_what_needs_that() -> None:
    def unreached():
        raise AssertionError("must not be asked")

    steps = [
        Step("Kafka", broken, ""),  # type: ignore[arg-type]
        Step("topics", unreached, "", ("Kafka",)),
        Step("lag", unreached, "", ("topics",)),
        Step("disk", lambda: well("disk", "82 GB"), ""),
    ]
    verdicts = [finding.verdict for finding in examine(steps)]
    assert verdicts == [Verdict.WRONG, Verdict.SKIPPED, Verdict.SKIPPED, Verdict.WELL]


def test_a_note_stops_nothing() -> None:
    steps = [Step("disk", lambda: note("disk", "3 GB", "free some"), ""), Step("x", lambda: well("x", ""), "", ("disk",))]
    assert [finding.verdict for finding in examine(steps)] == [Verdict.NOTE, Verdict.WELL]
