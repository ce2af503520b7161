"""Tell of the traces that their producers want told: a log line for each trip and, where spans are exported, a span."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import structlog

from domain.entities.rejections import DeadLetter
from domain.entities.streams import BatchReceipt, Envelopes, EventBatch
from stream.metrics import Metrics
from stream.ports import Spans
from stream.traceparent import is_sampled, trace_id, traceparent_of

log = structlog.get_logger("tripcast.stream")

SPAN = "tripcast.score"
MOST_A_BATCH = 50  # a producer that samples everything must not slow the stream down


@dataclass(frozen=True, slots=True)
class Told:
    """What became of one sampled event. `began_ns`: when it was published, None where nobody knows."""

    traceparent: str
    began_ns: int | None
    outcome: str  # stored, repeated, or why it was refused
    place: dict[str, int]


@dataclass(frozen=True, slots=True)
class Traces:
    """`spans` None: none are exported. Costs a batch without a trace next to nothing."""

    metrics: Metrics
    spans: Spans | None = field(default=None)

    def committed(self, batch: EventBatch, receipt: BatchReceipt, refused: Iterable[DeadLetter], now_ns: int) -> None:
        """A transaction is done. `refused`: all that it refused."""
        letters = list(refused)
        told = [*_started(batch, receipt, letters), *_refused(letters)]
        self.metrics.traces_untold(max(0, len(told) - MOST_A_BATCH))
        for each in islice(told, MOST_A_BATCH):
            if each.outcome == "stored":
                log.info("trip_scored", trace_id=trace_id(each.traceparent), **each.place)
            if self.spans is not None:
                began_ns = now_ns if each.began_ns is None else min(each.began_ns, now_ns)  # clocks differ
                attributes = {f"tripcast.{name}": value for name, value in each.place.items()}
                self.spans.add(SPAN, each.traceparent, (began_ns, now_ns), attributes | {"tripcast.outcome": each.outcome})


def trace_ids(letters: Iterable[DeadLetter], most: int = 5) -> list[str]:
    """Of the traces that these events belong to, sampled or not."""
    found = (traceparent_of(letter.headers) for letter in letters if letter.headers)
    return list(islice((trace_id(each) for each in found if each is not None), most))


def _started(batch: EventBatch, receipt: BatchReceipt, letters: list[DeadLetter]) -> Iterator[Told]:
    """Those that became rows, and those that were rows before."""
    if batch.envelopes is None or not any(traceparents := batch.envelopes.traceparent.tolist()):
        return
    records, gone = batch.started_records, {(letter.partition, letter.offset) for letter in letters}
    for row, traceparent in enumerate(traceparents):
        if traceparent is None or not is_sampled(traceparent):
            continue
        partition, offset = int(records.partition[row]), int(records.offset[row])
        if (partition, offset) not in gone:
            place = {"partition": partition, "offset": offset, "version": batch.stamp.version}
            outcome = "stored" if receipt.stored[row] else "repeated"
            yield Told(traceparent, _began_ns(batch.envelopes, row), outcome, place)


def _refused(letters: Iterable[DeadLetter]) -> Iterator[Told]:
    for letter in letters:
        traceparent = traceparent_of(letter.headers) if letter.headers else None
        if traceparent is not None and is_sampled(traceparent):
            place = {"partition": letter.partition, "offset": letter.offset}
            yield Told(traceparent, int(letter.timestamp.timestamp() * 1e9), letter.reason.value, place)


def _began_ns(envelopes: Envelopes, row: int) -> int | None:
    published_at = envelopes.published_at[row]
    return None if np.isnat(published_at) else int(published_at.astype("datetime64[ns]").astype(np.int64))
