"""What a repair of a stream puts back, and what it could not."""

from dataclasses import dataclass, field
from datetime import datetime

from domain.entities.audits import Range
from domain.entities.predictions import PredictionColumns
from domain.entities.streams import EventBatch, ModelStamp
from domain.entities.trips import RecordColumns, TripColumns


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A stored champion's prediction near a missing one: who scored there, and when."""

    offset: int
    stamp: ModelStamp
    scored_at: datetime


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Champion's predictions that one version made at one moment, with the records of their trips. Shape (n,).

    `original`: they are as they were published, not made anew.
    """

    predictions: PredictionColumns
    records: RecordColumns
    stamp: ModelStamp
    scored_at: datetime
    original: bool


@dataclass(frozen=True, slots=True, eq=False)
class Remade:
    """What one transaction puts back in one partition: events as they were decoded again, and predictions.

    `batch` has no predictions of its own; its one span covers all that is missing, and no position is moved by it. `answers`
    are for its started trips and for those of `unpredicted`, ids of stored trips without a prediction.
    """

    batch: EventBatch
    answers: tuple[Answers, ...]
    unpredicted: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class StoredTrips:
    """Stored trips as the stream brought them; both columns have one length."""

    trips: TripColumns
    records: RecordColumns


@dataclass(frozen=True, slots=True)
class Restored:
    """Rows that a transaction inserted. Of the predictions, `original` are as they were published."""

    trips: int = 0
    completions: int = 0
    predictions: int = 0
    original: int = 0
    dead_letters: int = 0
    skipped: int = 0

    @property
    def rows(self) -> int:
        """All of them."""
        return self.trips + self.completions + self.predictions + self.dead_letters + self.skipped


@dataclass(frozen=True, slots=True)
class Unrepairable:
    """Offsets [first, last] of a partition that stay as they are, and why."""

    source_id: int
    topic: str
    partition: int
    first_offset: int
    last_offset: int
    why: str


@dataclass(slots=True)
class PartitionRepair:
    """What was done in one partition; `versions` made its predictions.

    `unchecked`: published predictions whose version was not at hand to score them again and compare.
    """

    source_id: int
    topic: str
    partition: int
    offsets: list[Range] = field(default_factory=list)
    restored: Restored = Restored()
    unchecked: int = 0
    versions: list[int] = field(default_factory=list)
    unrepairable: list[Unrepairable] = field(default_factory=list)
