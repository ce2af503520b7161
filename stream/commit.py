"""Write one batch: refused events to the quarantine topic first, then everything in one transaction, then the counters."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import structlog

from domain.entities.rejections import DeadLetter
from domain.entities.streams import BatchReceipt, Contradiction
from domain.ports import StreamStore
from stream.metrics import Metrics
from stream.ports import Output
from stream.score_events import Prepared
from stream.traces import Traces, trace_ids

log = structlog.get_logger("tripcast.stream")


@dataclass(slots=True)
class Commit:
    """One batch on its way; may be called again after an Unreachable error, and publishes no refusal a second time then.

    A commit whose answer was lost shows as Fenced at the next call: the stored offset has moved, by ourselves.
    """

    store: StreamStore
    output: Output
    metrics: Metrics
    traces: Traces
    source_id: int
    prepared: Prepared
    _quarantined: dict[tuple[int, int], DeadLetter] = field(default_factory=dict)

    async def __call__(self, published: dict[int, int] | None = None) -> BatchReceipt:
        """Raises Fenced, DatabaseUnreachable, BrokerUnreachable. `published`: what has been published since the last batch."""
        batch = replace(self.prepared.batch, published=published or {})
        await self._quarantine(batch.dead_letters)
        with self.metrics.stage("write"):
            receipt = await self.store.write(self.source_id, batch, self._refuse)
        refused, now = list(self._quarantined.values()), time.time()
        self.metrics.committed(self.prepared, receipt, [each.reason for each in refused], now)
        self.traces.committed(batch, receipt, refused, int(now * 1e9))
        return receipt

    @property
    def refused(self) -> tuple[tuple[int, int], ...]:
        """Partition and offset of every event that is a dead letter now."""
        return tuple(self._quarantined)

    async def _refuse(self, contradictions: Sequence[Contradiction]) -> Sequence[DeadLetter]:
        letters = self.prepared.contradicted(contradictions)
        await self._quarantine(letters)
        return letters

    async def _quarantine(self, letters: Sequence[DeadLetter]) -> None:
        new = [letter for letter in letters if (letter.partition, letter.offset) not in self._quarantined]
        if new:
            await self.output.quarantine(new)
            self._quarantined |= {(letter.partition, letter.offset): letter for letter in new}
            first, traced = new[0], trace_ids(new)
            place = {"partition": first.partition, "offset": first.offset}
            log.warning("quarantined", count=len(new), reason=first.reason.value, **place, **_named(traced))


def _named(trace_ids: list[str]) -> dict[str, list[str]]:
    return {"trace_ids": trace_ids} if trace_ids else {}
