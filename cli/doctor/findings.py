"""What a check found, and what the user can do about it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from domain.errors import TripcastError


class Verdict(StrEnum):
    """Only `WRONG` makes the doctor's exit code non-zero; `SKIPPED` needs something that is wrong already."""

    WELL = "ok"
    NOTE = "note"
    WRONG = "wrong"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report. `advice` says what to do and is empty when all is well."""

    check: str
    verdict: Verdict
    found: str
    advice: str = ""


Check = Callable[[], Finding]


def well(check: str, found: str) -> Finding:
    """As it should be."""
    return Finding(check, Verdict.WELL, found)


def note(check: str, found: str, advice: str) -> Finding:
    """Worth knowing."""
    return Finding(check, Verdict.NOTE, found, advice)


def wrong(check: str, found: str, advice: str) -> Finding:
    """Not as it should be."""
    return Finding(check, Verdict.WRONG, found, advice)


@dataclass(frozen=True, slots=True)
class Step:
    """A check that makes sense only when those in `needs` went well. Its TripcastError is a finding with `advice`."""

    name: str
    check: Check
    advice: str
    needs: tuple[str, ...] = ()


def examine(steps: list[Step]) -> Iterator[Finding]:
    """Run the checks in order, each once."""
    bad: set[str] = set()
    for step in steps:
        finding = _examine(step, bad)
        if finding.verdict in (Verdict.WRONG, Verdict.SKIPPED):
            bad.add(step.name)
        yield finding


def _examine(step: Step, bad: set[str]) -> Finding:
    lacking = [need for need in step.needs if need in bad]
    if lacking:
        return Finding(step.name, Verdict.SKIPPED, f"needs: {', '.join(lacking)}")
    try:
        return step.check()
    except TripcastError as error:
        return wrong(step.name, str(error), step.advice)
