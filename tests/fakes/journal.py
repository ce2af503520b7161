"""A lifecycle journal in memory."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from domain.entities.models import LifecycleEvent


@dataclass
class InMemoryJournal:
    """Implements `domain.ports.LifecycleJournal`."""

    events: list[LifecycleEvent] = field(default_factory=list)

    async def record(self, event: LifecycleEvent) -> None:
        self.events.append(event)

    async def newest(self, kinds: Sequence[str], subject: str | None = None) -> LifecycleEvent | None:
        found = [event for event in self.events if event.kind in kinds and subject in {None, event.subject}]
        return found[-1] if found else None
