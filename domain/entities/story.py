"""What happened to models and why, put together for people: events, requests with their answers, verdicts of gates."""

from dataclasses import dataclass
from datetime import datetime

from domain.entities.models import LifecycleEvent


@dataclass(frozen=True, slots=True)
class AskedFor:
    """A request of the loop. `outcome` None: not answered yet. `event_at` is event time, the others wall time."""

    kind: str
    subject: str
    reason: str
    event_at: datetime
    requested_at: datetime
    answered_at: datetime | None
    outcome: str | None
    version: int | None
    answer: str | None


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a gate found about a training, with the numbers that it was given."""

    subject: str
    model_version: int | None
    gate: str
    passed: bool
    reason: str
    numbers: dict[str, float]
    at: datetime


@dataclass(frozen=True, slots=True)
class Story:
    """Up to one moment: the event that made the champion of then (None: there was none), and what led there, oldest first."""

    at: datetime
    champion: LifecycleEvent | None
    events: tuple[LifecycleEvent, ...]
    requests: tuple[AskedFor, ...]
    verdicts: tuple[Verdict, ...]
