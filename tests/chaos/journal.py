"""What the producer knows: every event it sent, where the broker says it is, and whether that is certain."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path

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

    def save(self, path: Path) -> None:
        """Write JSON lines: partition, offset, key and value in hexadecimal; without an offset where it is unknown."""
        lines: list[dict[str, object]] = [
            {"partition": entry.partition, "offset": entry.offset, "key": _hex(entry.key), "value": _hex(entry.value)}
            for entry in self.sent
        ]
        lines += [{"value": _hex(value)} for value in self.unknown]
        path.write_text("".join(f"{json.dumps(line)}\n" for line in lines))

    @classmethod
    def read(cls, path: Path) -> "Journal":
        """What `save` wrote."""
        journal = cls()
        for line in map(json.loads, path.read_text().splitlines()):
            if "offset" in line:
                journal.acknowledge(line["partition"], line["offset"], _bytes(line["key"]), _bytes(line["value"]))
            else:
                journal.unknown.append(_bytes(line["value"]))
        return journal


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _bytes(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)
