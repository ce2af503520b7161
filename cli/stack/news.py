"""What the closed loop decided and what came of it, told once each as it happens."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from domain.entities.models import LifecycleEvent

TOLD = (  # everything else is in `tripcast history`
    "drift.confirmed",
    "feed.fault",
    "feed.healed",
    "retraining.requested",
    "retraining.held",
    "retraining.refused",
    "retraining.failed",
    "challenger.shadowing",
    "challenger.dismissed",
    "model.promoted",
    "model.rolled_back",
    "watch.passed",
)
ALARMING = ("drift.confirmed", "feed.fault", "retraining.refused", "retraining.failed", "model.rolled_back")


@dataclass(frozen=True, slots=True)
class NewsItem:
    """A line, and whether it should stand out."""

    text: str
    alarming: bool


class News:
    """Reads lifecycle events; those from before the first look are old and stay untold."""

    def __init__(self, read: Callable[[int | None], tuple[int, Sequence[LifecycleEvent]] | None]) -> None:
        self._read = read
        self._seen: int | None = None

    def fresh(self) -> list[NewsItem]:
        """What was recorded since the last look, in order; nothing while the database does not answer."""
        found = self._read(self._seen)
        if found is None:
            return []
        self._seen, events = found
        return [_item(event) for event in events if event.kind in TOLD]


def _item(event: LifecycleEvent) -> NewsItem:
    what = event.kind.replace(".", " ").replace("_", " ")
    return NewsItem(f"{what}: {event.subject}: {event.reason}", event.kind in ALARMING)
