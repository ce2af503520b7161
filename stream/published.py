"""What was said of missing records when they were first handled: predictions and refusals as they lie on the output topics."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import structlog

from domain.entities.rejections import DeadLetter, Reason
from schemas.events import TripPredicted
from schemas.headers import DETAIL, ORIGIN, REASON
from stream.decode import dead_letter
from stream.ports import Record
from stream.repair_ports import PastRecords

log = structlog.get_logger("tripcast.stream")

MOST_PREDICTIONS = 500_000  # looked through in one partition; what lies further is scored again
MOST_REFUSALS = 50_000
EARLIER = timedelta(minutes=5)  # a broker's or worker's clock may be wrong by so much

_decode = msgspec.json.Decoder(TripPredicted).decode
_REASONS = {str(reason): reason for reason in Reason}


@dataclass(frozen=True, slots=True)
class Published:
    """Looks from a moment on, a bounded stretch. Raises BrokerUnreachable."""

    predicted: PastRecords
    refused: PastRecords
    events_topic: str

    async def predictions(self, partition: int, wanted: Mapping[int, str], since: datetime | None) -> dict[int, TripPredicted]:
        """By offset of the trip's record, those of these trips that are found. `wanted`: trip ids by offset."""
        keys = [trip_id.encode() for trip_id in wanted.values()]
        found: dict[int, TripPredicted] = {}
        for number in sorted(set(await self.predicted.partition_of(keys))) if keys else []:
            async with aclosing(await _from(self.predicted, number, since, MOST_PREDICTIONS)) as records:
                async for record in records:
                    said = _said(record, partition, wanted)
                    if said is not None:
                        found.setdefault(said.offset, said)  # a repeat has the same bytes
                    if len(found) == len(wanted):
                        return found
        return found

    async def refusals(self, partition: int, missing: Mapping[int, Record], since: datetime | None) -> dict[int, DeadLetter]:
        """By offset, those of these records that were refused, with the reason of then."""
        found: dict[int, DeadLetter] = {}
        for number in await self.refused.partitions():
            async with aclosing(await _from(self.refused, number, since, MOST_REFUSALS)) as records:
                async for record in records:
                    letter = self._refusal(record, partition, missing)
                    if letter is not None:
                        found.setdefault(letter.offset, letter)
        return found

    def _refusal(self, record: Record, partition: int, missing: Mapping[int, Record]) -> DeadLetter | None:
        """The dead letter in a record of `trip-quarantine`, if it is of a missing record, byte for byte."""
        headers = dict(record.headers)
        offset = self._origin(headers.get(ORIGIN), partition)
        original = missing.get(offset) if offset is not None else None
        reason = _REASONS.get((headers.get(REASON) or b"").decode(errors="replace"))
        if original is None or reason is None or (record.key, record.value) != (original.key, original.value):
            return None
        return dead_letter(partition, original, reason, (headers.get(DETAIL) or b"").decode(errors="replace"))

    def _origin(self, said: bytes | None, partition: int) -> int | None:
        """The offset in an origin of this partition: topic/partition/offset."""
        before, _, offset = (said or b"").decode(errors="replace").rpartition("/")
        return int(offset) if before == f"{self.events_topic}/{partition}" and offset.isdecimal() else None


def _said(record: Record, partition: int, wanted: Mapping[int, str]) -> TripPredicted | None:
    """The prediction in a record of `trip-predictions`, if it is one of the wanted: same trip, same record."""
    try:
        said = _decode(record.value or b"")
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors; another topic's bytes are not ours to judge
        return None
    return said if said.partition == partition and wanted.get(said.offset) == said.trip_id else None


async def _from(topic: PastRecords, partition: int, since: datetime | None, most: int) -> AsyncGenerator[Record]:
    first, end = await topic.limits(partition)
    if since is not None:
        first = max(first, await topic.offset_at(partition, since - EARLIER))
    if end - first > most:
        log.warning("searched_in_part", partition=partition, first_offset=first, next_offset=first + most, end=end)
    return topic.records(partition, first, min(end, first + most))
