"""What the loop decides, and what it is told of what came of it."""

from dataclasses import dataclass, field
from enum import StrEnum

from domain.baselines import Baseline


class RequestKind(StrEnum):
    """What the loop asks the trainer for. Each kind is asked once for a subject."""

    RETRAINING = "retraining"
    PROMOTION = "promotion"
    DISMISSAL = "dismissal"
    ROLLBACK = "rollback"


class Outcome(StrEnum):
    """What came of a request."""

    REGISTERED = "registered"  # a retraining: the version shadows the champion now
    REFUSED = "refused"  # a gate refused it
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Record:
    """Something to remember: a lifecycle event. `details` are plain JSON values; `minute` is event time."""

    kind: str
    subject: str
    reason: str
    minute: int
    details: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Request:
    """Something to be done by the trainer; also remembered, as `<kind>.requested`."""

    kind: RequestKind
    subject: str
    reason: str
    minute: int
    body: dict[str, object] = field(default_factory=dict)


Decision = Record | Request


@dataclass(frozen=True, slots=True)
class ChampionChanged:
    """From now on this version answers. `baseline` None: nothing is known of what is normal for it; it is learnt first."""

    version: int
    baseline: Baseline | None
    rolled_back: bool = False


@dataclass(frozen=True, slots=True)
class ShadowChanged:
    """From now on this version shadows the champion; None: no version does."""

    version: int | None


@dataclass(frozen=True, slots=True)
class Answered:
    """What came of a request."""

    kind: RequestKind
    subject: str
    outcome: Outcome
    version: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Approved:
    """Somebody lets an episode ask for its training."""

    subject: str


Fact = ChampionChanged | ShadowChanged | Answered | Approved
