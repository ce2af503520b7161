"""What is ours and how far it has come; the tasks of the hot path share it, all in one event loop."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from domain.entities.streams import Span


def _set_event() -> asyncio.Event:
    event = asyncio.Event()
    event.set()
    return event


@dataclass(slots=True)
class Ledger:
    """A batch belongs to the epoch in which it was fetched; a new epoch makes the batches of older ones worthless.

    `committed`: next offset per partition, as stored. `published`: below which predictions are on Kafka, not stored yet.
    """

    epoch: int = 0
    source_id: int = 0
    committed: dict[int, int] = field(default_factory=dict)
    published: dict[int, int] = field(default_factory=dict)
    idle: asyncio.Event = field(default_factory=_set_event)
    _in_hand: int = 0

    def begin_anew(self) -> None:
        """What is in hand is worthless from now on, unless it is committed already."""
        self.epoch += 1

    def take(self, source_id: int, next_offsets: dict[int, int]) -> None:
        """These positions are ours now."""
        if source_id != self.source_id:
            self.published.clear()
        self.source_id, self.committed = source_id, dict(next_offsets)

    def advance(self, spans: Iterable[Span]) -> None:
        """These spans are committed."""
        self.committed |= {span.partition: span.next_offset for span in spans if span.partition in self.committed}

    def pick_up(self) -> None:
        """One more batch is in hand."""
        self._in_hand += 1
        self.idle.clear()

    def put_down(self) -> None:
        """One batch less: published, or dropped."""
        self._in_hand -= 1
        if not self._in_hand:
            self.idle.set()

    def published_of(self, spans: Iterable[Span]) -> dict[int, int]:
        """What is published of these partitions and not stored yet; it rides in their next transaction."""
        return {span.partition: self.published[span.partition] for span in spans if span.partition in self.published}

    def forget_published(self, said: dict[int, int]) -> None:
        """These are stored."""
        for partition, offset in said.items():
            if self.published.get(partition) == offset:
                del self.published[partition]
