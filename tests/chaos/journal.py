"""What the producer knows: every event it sent, where the broker says it is, and whether that is certain."""

import hashlib
from dataclasses import dataclass, field

import msgspec

from schemas.events import TripEvent


@dataclass(frozen=True, slots=True)
class Entry:
    """One event the broker acknowledged. `event` is None for deliberate rubbish."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    event: TripEvent | None

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.value or b"").hexdigest()


@dataclass(slots=True)
class Journal:
    """`sent` are acknowledged; `unknown` were sent without an answer and may or may not be in the topic."""

    sent: list[Entry] = field(default_factory=list)
    unknown: list[bytes | None] = field(default_factory=list)

    def acknowledge(self, partition: int, offset: int, key: bytes | None, value: bytes | None) -> None:
        try:
            event = msgspec.json.decode(value or b"", type=TripEvent)
        except (msgspec.DecodeError, UnicodeDecodeError):
            event = None
        self.sent.append(Entry(partition, offset, key, value, event))
