"""What becomes of each event of a batch, given what is stored: a row, a repeat, or a contradiction by the later arrival.

Nearly every event is the first of its kind for its trip and contradicts nothing: such trips are called plain, and cost no
more than a look-up. The few odd ones are told one by one in the order of their records, as if each event came alone.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from domain.entities.rejections import SkipReason
from domain.entities.streams import Contradiction, EventBatch, Skipped

Mask = NDArray[np.bool_]
Record = tuple[int, int]  # partition and offset, in the batch's source
Facts = tuple[int | float, ...]  # in the order of the names below; times in microseconds since 1970

TRIP_FACTS = (
    "vendor_id",
    "passenger_count",
    "pickup_at",
    "pickup_latitude",
    "pickup_longitude",
    "dropoff_latitude",
    "dropoff_longitude",
)
COMPLETION_FACTS = ("pickup_at", "dropoff_at")


@dataclass(frozen=True, slots=True)
class Row:
    """A row of `trips` or `completions`. `record` is None when it came from a file or another source."""

    facts: Facts
    record: Record | None


@dataclass(slots=True)
class Stored:
    """The rows of one trip, as far as they exist."""

    trip: Row | None = None
    completion: Row | None = None

    @property
    def settled(self) -> bool:
        """Whether the trip has both its start and its end."""
        return self.trip is not None and self.completion is not None


@dataclass(slots=True)
class Verdict:
    """Which rows to insert, as masks over `started` and `completed`, and what becomes of the other events."""

    started: Mask
    completed: Mask
    early: Mask  # completions whose trip has not started
    settled: int = 0
    repeats: list[Skipped] = field(default_factory=list)
    contradictions: list[Contradiction] = field(default_factory=list)


def starts_of(batch: EventBatch) -> NDArray[np.intp]:
    """For each completion the row of its start in this batch, or -1; shape (n,)."""
    started, completed = batch.started.trip_id.tolist(), batch.completed.trip_id.tolist()
    row_of = dict(zip(started, range(len(started)), strict=True))
    return np.fromiter((row_of.get(trip_id, -1) for trip_id in completed), np.intp, len(completed))


def odd_within(batch: EventBatch, starts: NDArray[np.intp]) -> set[str]:
    """Trips that the batch alone shows to be odd: those with two starts, two completions or two pickup times."""
    met = np.flatnonzero(starts >= 0)
    differing = met[batch.started.pickup_at[starts[met]] != batch.completed.pickup_at[met]]
    return {
        *batch.completed.trip_id[differing].tolist(),
        *_repeated(batch.started.trip_id.tolist()),
        *_repeated(batch.completed.trip_id.tolist()),
    }


def settle(batch: EventBatch, odd: Mapping[str, Stored]) -> Verdict:
    """Decide on every event, given the stored rows of the odd trips; a plain completion's trip has started."""
    completed = batch.completed.trip_id
    verdict = Verdict(
        started=np.ones(len(batch.started), dtype=np.bool_),
        completed=np.ones(len(completed), dtype=np.bool_),
        early=np.zeros(len(completed), dtype=np.bool_),
        settled=len(completed),
    )
    if odd:
        verdict.settled = sum(trip_id not in odd for trip_id in completed)
        for trip_id, events in _events_of(batch, odd).items():
            _tell(trip_id, odd[trip_id], events, verdict)
        verdict.contradictions.sort(key=lambda one: (one.partition, one.offset))
    return verdict


@dataclass(frozen=True, slots=True)
class _Event:
    record: Record
    row: int  # of `started` or of `completed`
    starts: bool
    facts: Facts


def _tell(trip_id: str, stored: Stored, events: Sequence[_Event], verdict: Verdict) -> None:
    settled_before, inserted_completions = stored.settled, []
    for event in sorted(events, key=lambda event: event.record):
        inserts = _decide(trip_id, stored, event, verdict)
        (verdict.started if event.starts else verdict.completed)[event.row] = inserts
        if inserts and event.starts:
            stored.trip = Row(event.facts, event.record)
        elif inserts:
            stored.completion = Row(event.facts, event.record)
            inserted_completions.append(event.row)
    verdict.early[inserted_completions] = stored.trip is None
    verdict.settled += stored.settled and not settled_before


def _decide(trip_id: str, stored: Stored, event: _Event, verdict: Verdict) -> bool:
    """Whether to insert the event's row; if not, why not is noted in the verdict."""
    same, other = (stored.trip, stored.completion) if event.starts else (stored.completion, stored.trip)
    if same is not None and same.record == event.record:
        return False  # the record that made the row, read again
    names = TRIP_FACTS if event.starts else COMPLETION_FACTS
    if same is not None:
        differing = [name for name, old, new in zip(names, same.facts, event.facts, strict=True) if old != new]
        if not differing:
            partition, offset = event.record
            verdict.repeats.append(Skipped(partition, offset, offset, SkipReason.IDENTICAL_REPEAT, trip_id))
            return False
    elif other is None or _pickup(other, starts=not event.starts) == event.facts[names.index("pickup_at")]:
        return True
    else:
        differing = ["pickup_at"]
    verdict.contradictions.append(Contradiction(*event.record, trip_id, f"stored otherwise: {', '.join(differing)}"))
    return False


def _pickup(row: Row, *, starts: bool) -> int | float:
    return row.facts[(TRIP_FACTS if starts else COMPLETION_FACTS).index("pickup_at")]


def _events_of(batch: EventBatch, trip_ids: Container[str]) -> dict[str, list[_Event]]:
    events: dict[str, list[_Event]] = defaultdict(list)
    kinds = (
        (batch.started, batch.started_records, TRIP_FACTS, True),
        (batch.completed, batch.completed_records, COMPLETION_FACTS, False),
    )
    for columns, records, names, starts in kinds:
        for row, trip_id in enumerate(columns.trip_id):
            if trip_id in trip_ids:
                record = int(records.partition[row]), int(records.offset[row])
                facts = tuple(_plain(getattr(columns, name)[row]) for name in names)
                events[trip_id].append(_Event(record, row, starts, facts))
    return events


def _plain(value: np.generic) -> int | float:
    return int(value.astype(np.int64)) if isinstance(value, np.datetime64) else value.item()


def _repeated(trip_ids: list[str]) -> set[str]:
    if len(set(trip_ids)) == len(trip_ids):
        return set()
    return {trip_id for trip_id, count in Counter(trip_ids).items() if count > 1}
