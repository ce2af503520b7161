"""Find the event that kills the process, without a clean exit to tell which it was, and without blaming a neighbour.

An event may kill its worker: a crash in native code, a memory limit. After each take-over the worker leaves a durable mark
before it touches its first batch, which is small and alone in hand, and the batch's own transaction takes the mark away. So a
mark that a take-over finds says what the one before died with:

- no mark: nobody died on the next records. Go on in batches.
- a mark below the stored offset: it died with a first batch in hand. Take as many records as such a batch can have one at a
  time, each with a mark of its own.
- a mark at the stored offset: it died with that record alone in hand. Up to three times it is tried alone again; after the
  third death it is a dead letter, `kills_the_worker`, without being looked at.

A killer in a later, larger batch dies unmarked. Batches start small and double, each alone in hand until they are full, so that
every restart comes about half way closer, until the killer is in a first batch. A `kill -9` from outside would have to hit the
same few milliseconds of the same record three times to look like one. An outage does not: whoever waits for the database is
alive, and knows its own marks.
"""

from dataclasses import dataclass, field

from domain.entities.streams import Position, Span
from domain.ports import StreamStore

DEATHS = 3


@dataclass(frozen=True, slots=True)
class Marks:
    """Leaves marks and reads those of others; a mark of this very process is no death."""

    store: StreamStore
    _mine: set[tuple[int, int, int]] = field(default_factory=set)

    async def before_first_batch(self, source_id: int, span: Span) -> None:
        """The mark of a batch lies on the offset before it."""
        await self._leave(source_id, span.partition, span.first_offset - 1)

    async def before_record(self, source_id: int, span: Span) -> None:
        """The mark of a record lies on it."""
        await self._leave(source_id, span.partition, span.first_offset)

    def somebody_died(self, source_id: int, position: Position) -> bool:
        """Whether the next records must be taken one at a time."""
        return position.suspect is not None and not self._is_mine(source_id, position)

    def condemned(self, source_id: int, position: Position) -> int | None:
        """The offset of the record that three workers have died on alone, or None."""
        alone = position.suspect == position.next_offset and not self._is_mine(source_id, position)
        return position.suspect if alone and position.attempts >= DEATHS else None

    async def _leave(self, source_id: int, partition: int, offset: int) -> None:
        """Once in this process's life: trying again after an outage is not another attempt."""
        key = source_id, partition, offset
        if key not in self._mine:
            await self.store.mark_suspect(source_id, partition, offset)
            self._mine.add(key)

    def _is_mine(self, source_id: int, position: Position) -> bool:
        return position.suspect is not None and (source_id, position.partition, position.suspect) in self._mine
