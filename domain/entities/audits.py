"""What an audit of a stream finds: for every partition, what became of every offset."""

from dataclasses import dataclass, field

Range = tuple[int, int]


@dataclass(slots=True)
class PartitionAudit:
    """What the offsets [start, next) of one partition became; ranges are [first, last].

    `unpredicted`: stream trips without the champion's prediction, the first of them at the offsets `unpredicted_at`.
    `outside`: rows of this partition at offsets that no committed batch reached. `unread`: records on the broker that were not
    read yet; no fault, and None when not asked.
    """

    source_id: int
    topic: str
    partition: int
    start_offset: int
    next_offset: int
    published_offset: int
    rows: int = 0
    dead_letters: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    outside: int = 0
    unpredicted: int = 0
    gaps: list[Range] = field(default_factory=list)
    doubles: list[Range] = field(default_factory=list)
    lost: list[Range] = field(default_factory=list)
    unread: int | None = None
    unpredicted_at: list[int] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        """Whether rows + dead letters + skipped = next - start, each offset once, nothing lost, every trip predicted."""
        return not self.faults()

    def faults(self, named: int = 5) -> list[str]:
        """Everything that is wrong, in words; of many ranges the first `named`."""
        found = [_in_words(kind, ranges, named) for kind, ranges in self._ranges() if ranges]
        if self.outside:
            found.append(f"{self.outside} records lie outside the offsets that were read")
        if self.unpredicted:
            found.append(_in_words(f"{self.unpredicted} trips have no prediction, at", _single(self.unpredicted_at), named))
        accounted = self.rows + self.dead_letters + sum(self.skipped.values())
        if accounted != self.next_offset - self.start_offset:
            found.append(f"{accounted} of {self.next_offset - self.start_offset} offsets are accounted for")
        return found

    def _ranges(self) -> tuple[tuple[str, list[Range]], ...]:
        return ("nothing at", self.gaps), ("twice at", self.doubles), ("lost before they were read:", self.lost)


@dataclass(frozen=True, slots=True)
class AuditReport:
    """All partitions that were ever read, of every incarnation of the topic."""

    partitions: tuple[PartitionAudit, ...]

    @property
    def ok(self) -> bool:
        """Whether every partition adds up."""
        return all(partition.ok for partition in self.partitions)


def _single(offsets: list[int]) -> list[Range]:
    return [(offset, offset) for offset in offsets]


def _in_words(kind: str, ranges: list[Range], named: int) -> str:
    words = [str(first) if first == last else f"{first} to {last}" for first, last in ranges[:named]]
    if len(ranges) > named:
        words.append(f"and {len(ranges) - named} more")
    return f"{kind} {', '.join(words)}"
