"""What one round of the loop's host changed, and how the loop's inputs are written down and read again."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, assert_never

from domain.baselines import Baseline
from domain.entities.models import LifecycleEvent
from domain.loop.decisions import (
    Answered,
    Approved,
    ChampionChanged,
    Decision,
    Fact,
    Outcome,
    Record,
    Request,
    RequestKind,
    ShadowChanged,
)
from domain.loop.signals import Reading
from domain.loop.steps import Step
from domain.loop.tracker import Reach
from domain.sums import Cells, Places, Tally

ACTOR = "monitor"
SECONDS_A_MINUTE = 60


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """The input number `seq` of the loop, counted from 1. `minute`: event time at which it was given."""

    seq: int
    given: Step | Fact
    minute: int


@dataclass(frozen=True, slots=True, eq=False)
class Standing:
    """Where the host stands: the newest number of the journal, and what it has taken in of one source.

    `open`: what is in no closed step yet. Minutes are event time; None: not yet. `announced_event_id`: the newest lifecycle
    event that was announced.
    """

    seq: int = 0
    reaches: Mapping[int, Reach] = field(default_factory=dict)
    open: Tally = field(default_factory=Tally.empty)
    closed_until: int | None = None
    expired_until: int | None = None
    announced_event_id: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Round:
    """All that one round changed, to be stored together or not at all.

    `before` are the offsets that the round began with, and `after` where it ends. `cells` and `places` are added to
    the roll-ups. Trips with a pickup in the minutes [first, until) of one of `expire` that have not ended are given up.
    `readings` are of its steps, for people.
    """

    before: Mapping[int, int]
    after: Standing
    cells: Cells
    entries: tuple[Entry, ...] = ()
    decisions: tuple[Decision, ...] = ()
    expire: tuple[tuple[int, int], ...] = ()
    places: Places = field(default_factory=Places.empty)
    readings: tuple[Reading, ...] = ()


def moment(minute: int) -> datetime:
    """The instant of a minute since 1970."""
    return datetime.fromtimestamp(minute * SECONDS_A_MINUTE, UTC)


def minute_at(instant: datetime) -> int:
    """The minute since 1970 of an instant."""
    return int(instant.timestamp()) // SECONDS_A_MINUTE


def written(given: Step | Fact) -> tuple[str, dict[str, Any]]:
    """Kind and body of an entry, as plain JSON values."""
    match given:
        case Step():
            return "step", given.as_dict()
        case ChampionChanged():
            baseline = given.baseline.as_dict() if given.baseline else None
            return "fact", {
                "fact": "champion",
                "version": given.version,
                "baseline": baseline,
                "rolled_back": given.rolled_back,
            }
        case ShadowChanged():
            return "fact", {"fact": "challenger", "version": given.version}
        case Answered():
            return "fact", {"fact": "answered", **asdict(given)}
        case Approved():
            return "fact", {"fact": "approved", "subject": given.subject}
        case _:
            assert_never(given)


def read(kind: str, body: dict[str, Any]) -> Step | Fact:
    """What `written` was given."""
    if kind == "step":
        return Step.from_dict(body)
    if body["fact"] == "champion":
        baseline = Baseline.from_dict(body["baseline"]) if body["baseline"] else None
        return ChampionChanged(body["version"], baseline, body["rolled_back"])
    if body["fact"] == "challenger":
        return ShadowChanged(body["version"])
    if body["fact"] == "approved":
        return Approved(body["subject"])
    return answered(body["kind"], body["subject"], body)


def answered(kind: str, subject: str, outcome: Mapping[str, Any]) -> Answered:
    """The fact that a stored answer tells."""
    return Answered(RequestKind(kind), subject, Outcome(outcome["outcome"]), outcome.get("version"), outcome.get("reason", ""))


def event_of(decision: Decision, now: datetime) -> LifecycleEvent:
    """How a decision is remembered: as itself, or as `<kind>.requested`. `now` is wall time; the details hold event time."""
    at: dict[str, object] = {"event_at": moment(decision.minute).isoformat()}
    match decision:
        case Record():
            return LifecycleEvent(decision.kind, decision.subject, ACTOR, decision.reason, now, at | decision.details)
        case Request():
            kind = f"{decision.kind}.requested"
            return LifecycleEvent(kind, decision.subject, ACTOR, decision.reason, now, at | decision.body)
        case _:
            assert_never(decision)
