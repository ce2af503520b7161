"""Lifecycle events as vertical lines of a chart over wall time. Pure."""

from collections.abc import Sequence

from domain.entities.models import LifecycleEvent
from schemas.http.snapshot import Mark

# Kind of the event -> kind of the line. Workers record the first three themselves, the trainer that somebody stands still.
KINDS = {
    "worker.started": "worker",
    "worker.stopped": "worker",
    "worker.rebalanced": "rebalance",
    "worker.stalled": "worker",
    "worker.resumed": "worker",
    "model.promoted": "model",
    "model.rolled_back": "model",
    "drift.confirmed": "drift",
    "feed.fault": "drift",
    "retraining.requested": "retraining",
    "retraining.finished": "retraining",
    "retraining.failed": "retraining",
    "challenger.shadowing": "retraining",
}
MOST = 60  # lines; more would hide the chart


def marks_of(events: Sequence[LifecycleEvent]) -> list[Mark]:
    """The newest MOST, oldest first."""
    chosen = sorted((event for event in events if event.kind in KINDS), key=lambda event: event.at)[-MOST:]
    return [Mark(at=event.at, kind=KINDS[event.kind], text=_text(event)) for event in chosen]


def _text(event: LifecycleEvent) -> str:
    return f"{event.kind.replace('.', ' ').replace('_', ' ')}: {event.subject}"
