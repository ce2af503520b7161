"""Bytes to columns, in one pass; what cannot be decoded or cannot be true leaves it as a dead letter with a precise reason.

The fast path costs a call of the decoder and a few attribute reads an event. Only a failure is looked at closely.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, TypeVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from domain.entities.rejections import DeadLetter, Reason
from domain.entities.streams import Envelopes
from domain.entities.trips import TIME, CompletionColumns, RecordColumns, TripColumns, times_of
from domain.quality import TripRules, Verdicts
from schemas.events import TripCompleted, TripEvent, TripStarted
from schemas.topics import MAX_EVENT_BYTES
from stream.ports import Record, Records
from stream.traceparent import traceparent_of

Kept = TypeVar("Kept", TripColumns, CompletionColumns, RecordColumns, Envelopes)
Decode = Callable[[bytes], TripStarted | TripCompleted]

KNOWN_TYPES = re.compile(r"trip\.(started|completed)\.v\d+")
MAX_DETAIL = 300  # a detail may quote a field's name, which the producer chose
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_MS = 253_402_300_799_000  # 9999-12-31; a producer may stamp a record with any 64 bits

decode_event: Decode = msgspec.json.Decoder(TripEvent).decode

_STARTED = attrgetter(
    "trip_id",
    "vendor_id",
    "passenger_count",
    "pickup_at",
    "pickup.latitude",
    "pickup.longitude",
    "dropoff.latitude",
    "dropoff.longitude",
)
_TIMESTAMP, _HEADERS = attrgetter("timestamp"), attrgetter("headers")
_COMPLETED = attrgetter("trip_id", "pickup_at", "dropoff_at")


@dataclass(frozen=True, slots=True, eq=False)
class Decoded:
    """The events of a batch by kind, in record order per partition, and the refused ones."""

    started: TripColumns
    started_records: RecordColumns
    completed: CompletionColumns
    completed_records: RecordColumns
    dead_letters: tuple[DeadLetter, ...]
    envelopes: Envelopes


@dataclass(slots=True)
class _Events:
    """Events of one kind with the records that carried them, while they are being collected."""

    events: list[Any]
    records: list[Record]
    partitions: list[int]

    def record_columns(self) -> RecordColumns:
        offsets = np.array([record.offset for record in self.records], dtype=np.int64)
        return RecordColumns(np.array(self.partitions, dtype=np.int32), offsets)

    def envelopes(self) -> Envelopes:
        stamps = np.fromiter(map(_TIMESTAMP, self.records), np.int64, len(self.records))
        published_at = (np.minimum(stamps, LATEST_MS) * 1000).astype(TIME)
        published_at[stamps < 0] = np.datetime64("NaT", "us")
        traceparent = np.full(len(self.records), None, dtype=object)
        beside = list(map(_HEADERS, self.records))
        if any(beside):
            traceparent[:] = [traceparent_of(headers) if headers else None for headers in beside]
        return Envelopes(published_at, traceparent)


def decode(batch: Records, rules: TripRules, now: datetime, decode_one: Decode = decode_event) -> Decoded:
    """Decode and judge a whole batch. `decode_one` raises for bytes that are not an event, and nothing else fails here."""
    started, completed, refused = _Events([], [], []), _Events([], [], []), []
    for partition, records in batch.items():
        refused += _sort(partition, records, started, completed, decode_one)
    trips, completions = _trips(started.events), _completions(completed.events)
    kept_trips, refused_trips = _judged(started, rules.judge_started(trips, now))
    kept_completions, refused_completions = _judged(completed, rules.judge_completed(completions, now))
    dead_letters = sorted(
        [*refused, *refused_trips, *refused_completions], key=lambda letter: (letter.partition, letter.offset)
    )
    return Decoded(
        _kept(trips, kept_trips),
        _kept(started.record_columns(), kept_trips),
        _kept(completions, kept_completions),
        _kept(completed.record_columns(), kept_completions),
        tuple(dead_letters),
        _kept(started.envelopes(), kept_trips),
    )


def dead_letter(partition: int, record: Record, reason: Reason, detail: str = "") -> DeadLetter:
    """The record as it came, with why it is refused."""
    stamp = EPOCH + timedelta(milliseconds=min(max(record.timestamp, 0), LATEST_MS))
    headers = tuple((name, value) for name, value in record.headers)
    detail = (detail or reason.description)[:MAX_DETAIL].replace("\x00", "?")
    return DeadLetter(partition, record.offset, stamp, record.key, record.value, headers, reason, detail)


def _sort(
    partition: int, records: Sequence[Record], started: _Events, completed: _Events, decode_one: Decode
) -> list[DeadLetter]:
    """Append each event to its kind; return what is no event."""
    refused = []
    for record in records:
        value, failure = record.value, None
        if value is not None and len(value) <= MAX_EVENT_BYTES:
            try:
                event = decode_one(value)
                if event.trip_id.encode() == record.key:
                    kind = started if type(event) is TripStarted else completed
                    kind.events.append(event)
                    kind.records.append(record)
                    kind.partitions.append(partition)
                    continue
            except (ValueError, RecursionError) as error:  # msgspec's and Unicode's errors are ValueErrors
                failure = error
        refused.append(dead_letter(partition, record, *_reason_of(record, failure)))
    return refused


def _reason_of(record: Record, error: Exception | None) -> tuple[Reason, str]:
    """Why a record is no event: the first thing that is wrong with it, from the outside in."""
    if record.value is None:
        return Reason.NULL_VALUE, ""
    if len(record.value) > MAX_EVENT_BYTES:
        return Reason.TOO_LARGE, f"{len(record.value)} bytes; at most {MAX_EVENT_BYTES} are decoded"
    if record.key is None:
        return Reason.NULL_KEY, ""
    try:
        record.value.decode()
    except UnicodeDecodeError as invalid:
        return Reason.INVALID_UTF8, f"byte {invalid.start}: {invalid.reason}"
    return _reason_of_text(record.value, error)


def _reason_of_text(value: bytes, error: Exception | None) -> tuple[Reason, str]:
    try:
        content = msgspec.json.decode(value)
    except msgspec.ValidationError as unreadable:  # JSON, with a number that no machine type holds
        return Reason.INVALID_SCHEMA, str(unreadable)
    except (ValueError, RecursionError) as malformed:
        return Reason.INVALID_JSON, str(malformed)
    if not isinstance(content, dict):
        return Reason.INVALID_SCHEMA, "not a JSON object"
    kind = content.get("type")
    if kind not in (TripStarted.__struct_config__.tag, TripCompleted.__struct_config__.tag):
        versioned = isinstance(kind, str) and KNOWN_TYPES.fullmatch(kind)
        return (Reason.UNKNOWN_VERSION if versioned else Reason.UNKNOWN_TYPE), ""
    if isinstance(error, msgspec.ValidationError):
        return Reason.INVALID_SCHEMA, str(error)
    return Reason.KEY_MISMATCH, ""


def _judged(events: _Events, verdicts: Verdicts) -> tuple[NDArray[np.bool_] | None, list[DeadLetter]]:
    """The mask of what is kept (None: all of it), and dead letters for the rest."""
    if not verdicts.any():
        return None, []
    [refused] = verdicts.nonzero()
    letters = [dead_letter(events.partitions[row], events.records[row], verdicts[row]) for row in refused.tolist()]
    return verdicts == None, letters  # noqa: E711 - element by element


def _kept(columns: Kept, mask: NDArray[np.bool_] | None) -> Kept:
    return columns if mask is None else columns.take(mask)


def _trips(events: list[TripStarted]) -> TripColumns:
    ids, vendors, passengers, pickups, *places = zip(*map(_STARTED, events), strict=True) if events else ((),) * 8
    return TripColumns(
        np.array(ids, dtype=object),
        np.array(vendors, dtype=np.int16),
        np.array(passengers, dtype=np.int16),
        times_of(pickups),
        *(np.array(place, dtype=np.float64) for place in places),
    )


def _completions(events: list[TripCompleted]) -> CompletionColumns:
    ids, pickups, dropoffs = zip(*map(_COMPLETED, events), strict=True) if events else ((),) * 3
    return CompletionColumns(np.array(ids, dtype=object), times_of(pickups), times_of(dropoffs))
