"""Drive missing records of a partition through the worker's own steps again, and put back what they become.

What was published about them is the evidence of what they became: a prediction or a refusal that is still on its topic is put
back as it was. What is not there any more is made again, by the version that the neighbouring rows name.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np

from domain.entities.audits import AuditReport, PartitionAudit, Range
from domain.entities.models import LifecycleEvent
from domain.entities.predictions import PredictionColumns
from domain.entities.rejections import DeadLetter, Reason
from domain.entities.repairs import PartitionRepair, Remade, StoredTrips, Unrepairable
from domain.entities.streams import Contradiction, EventBatch, ModelStamp, Span
from domain.entities.trips import RecordColumns, TripColumns
from domain.quality import TripRules
from stream.decode import Decode, Decoded, dead_letter, decode, decode_event
from stream.missing import Missing, gather, shortened
from stream.ports import Output
from stream.published import Published
from stream.remake import Answered, Remake
from stream.repair_ports import PastRecords, RepairStore

MOST_OFFSETS = 20_000  # of one transaction: a few of a worker's batches, and the worker waits no longer for its lock
NAMED_RANGES = 20  # in the record of a repair
EXPIRED = "expired: retention has deleted them from the topic"
ENDS_BELOW = "the broker's log ends below them"
OTHER_TOPIC = "other topic: the one that they were read from was deleted or replaced"
LOST = "expired: retention deleted them before they were read"
OUTSIDE = "outside the offsets that were read: positions were changed by hand"
TWICE = "accounted for twice: compare the rows, and delete the wrong one"
NO_MODEL = "no neighbour names a model version that can be loaded"
KIND = "stream.repaired"


@dataclass(frozen=True, slots=True)
class Who:
    """Who repairs, and why, for the record."""

    actor: str
    reason: str


@dataclass(frozen=True, slots=True)
class Repair:
    """One transaction a partition and call. Raises BrokerUnreachable, DatabaseUnreachable; what is done until then stays."""

    events: PastRecords
    store: RepairStore
    published: Published
    remake: Remake
    output: Output
    rules: TripRules
    decode_one: Decode = decode_event

    async def __call__(self, report: AuditReport, who: Who) -> list[PartitionRepair]:
        """Put back what these partitions lack, at most MOST_OFFSETS of each; call again after another audit for more."""
        here, sources = await self.events.source(), await self.store.sources()
        done = []
        for audit in report.partitions:
            if not audit.ok:
                source = sources.get(audit.source_id)
                same = source is not None and (source.cluster_id, source.topic_uuid) == (here.cluster_id, here.topic_uuid)
                done.append(await self._partition(audit, who, same=same))
        return done

    async def _partition(self, audit: PartitionAudit, who: Who, *, same: bool) -> PartitionRepair:
        done = PartitionRepair(audit.source_id, audit.topic, audit.partition)
        _refuse(done, audit.lost, LOST)
        _refuse(done, audit.doubles, TWICE)
        wanted = shortened(audit.gaps, MOST_OFFSETS)
        if not same:
            _refuse(done, wanted, OTHER_TOPIC)
            wanted = []
        elif wanted:
            wanted = await self._within_the_log(audit.partition, wanted, done)
        unpredicted = [offset for offset in audit.unpredicted_at if audit.start_offset <= offset < audit.next_offset]
        _refuse(done, [(offset, offset) for offset in audit.unpredicted_at if offset not in unpredicted], OUTSIDE)
        if wanted or unpredicted:
            missing = await gather(self.events, audit.partition, wanted)
            await self._restore((audit.source_id, audit.partition), missing, unpredicted, done, who)
        return done

    async def _within_the_log(self, partition: int, wanted: Sequence[Range], done: PartitionRepair) -> list[Range]:
        start, end = await self.events.limits(partition)
        _refuse(done, [(first, min(last, start - 1)) for first, last in wanted if first < start], EXPIRED)
        _refuse(done, [(max(first, end), last) for first, last in wanted if last >= end], ENDS_BELOW)
        return [(max(first, start), min(last, end - 1)) for first, last in wanted if last >= start and first < end]

    async def _restore(
        self, place: tuple[int, int], missing: Missing, unpredicted: Sequence[int], done: PartitionRepair, who: Who
    ) -> None:
        now, partition = datetime.now(UTC), place[1]
        first = min([*missing.records, *(hole.first_offset for hole in missing.holes), *unpredicted])
        last = max([*missing.records, *(hole.last_offset for hole in missing.holes), *unpredicted])
        below = (await self.store.neighbours(*place, [first])).get(first)
        since = below.scored_at if below is not None and below.offset < first else None
        refused = await self.published.refusals(partition, missing.records, since) if missing.records else {}
        undecided = [record for offset, record in missing.records.items() if offset not in refused]
        decoded = decode({partition: undecided}, self.rules, now, self.decode_one)
        stored = await self.store.trips_at(*place, unpredicted)
        answered = await self.remake(*place, _together(decoded, stored), since)
        _refuse(done, [(offset, offset) for offset in answered.without], NO_MODEL)
        await self.output.quarantine(decoded.dead_letters)  # found nowhere, so said once more, before it is a row
        batch = _batch(Span(partition, first, last + 1), decoded, set(answered.without), now)
        batch = replace(batch, dead_letters=(*refused.values(), *decoded.dead_letters), skipped=missing.holes)
        remade = Remade(batch, tuple(answered.answers), frozenset(stored.trips.trip_id.tolist()))
        _note(done, missing, unpredicted, answered)
        event = _event(done, who, now)
        done.restored = await self.store.restore(place[0], remade, _Refusing(missing, partition, self.output), event)


@dataclass(frozen=True, slots=True)
class _Refusing:
    """Implements `domain.ports.Refuse` for events that the database contradicts by now."""

    missing: Missing
    partition: int
    output: Output

    async def __call__(self, contradictions: Sequence[Contradiction]) -> Sequence[DeadLetter]:
        letters = [
            dead_letter(self.partition, self.missing.records[each.offset], Reason.CONTRADICTS_STORED, each.detail)
            for each in contradictions
        ]
        await self.output.quarantine(letters)
        return letters


def _together(decoded: Decoded, stored: StoredTrips) -> StoredTrips:
    """The trips that need a prediction: those decoded again, and those that are stored without one."""
    return StoredTrips(
        TripColumns.concatenate([decoded.started, stored.trips]),
        RecordColumns.concatenate([decoded.started_records, stored.records]),
    )


def _batch(span: Span, decoded: Decoded, without: set[int], now: datetime) -> EventBatch:
    """What was decoded, but for the trips that nobody can score: a trip is never stored without its prediction."""
    kept = np.array([offset not in without for offset in decoded.started_records.offset.tolist()], dtype=np.bool_)
    started, nothing = decoded.started.take(kept), np.empty(0, dtype=np.float32)
    return EventBatch(
        spans=(span,),
        started=started,
        started_records=decoded.started_records.take(kept),
        predictions=PredictionColumns(np.empty(0, dtype=object), nothing, nothing, nothing),
        stamp=ModelStamp(0, ""),
        scored_at=now,
        completed=decoded.completed,
        completed_records=decoded.completed_records,
        envelopes=decoded.envelopes.take(kept),
    )


def _refuse(done: PartitionRepair, ranges: Iterable[Range], why: str) -> None:
    done.unrepairable += [Unrepairable(done.source_id, done.topic, done.partition, first, last, why) for first, last in ranges]


def _note(done: PartitionRepair, missing: Missing, unpredicted: Sequence[int], answered: Answered) -> None:
    done.offsets = sorted({*missing.ranges, *((offset, offset) for offset in unpredicted)})
    done.unchecked = answered.unchecked
    done.versions = sorted({answers.stamp.version for answers in answered.answers if len(answers.predictions)})


def _event(done: PartitionRepair, who: Who, now: datetime) -> LifecycleEvent:
    details: dict[str, object] = {
        "source_id": done.source_id,
        "partition": done.partition,
        "ranges": [list(each) for each in done.offsets[:NAMED_RANGES]],
        "more_ranges": max(0, len(done.offsets) - NAMED_RANGES),
        "versions": done.versions,
    }
    return LifecycleEvent(KIND, f"{done.topic}/{done.partition}", who.actor, who.reason, now, details)
