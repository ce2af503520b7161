"""Read a trips file into memory and choose what to replay of it: about 300 bytes a trip, the price of event-time order."""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

import numpy as np

from domain.entities.files import TripBatch
from domain.entities.rejections import Reason
from domain.entities.trips import CompletionColumns, TripColumns
from domain.errors import NotEnoughTrips
from domain.split import start_of_rest, utc64
from domain.timeline import Timeline, timeline_of


class TripSource(Protocol):
    """A trips file."""

    def batches(self, now: datetime) -> Iterator[TripBatch]:
        """Every row, in bounded stretches. Raises InvalidInput for a damaged file."""
        ...


class HashedSource(TripSource, Protocol):
    """One whose content has a name."""

    def sha256(self) -> str:
        """The hash of the file's bytes. Raises InvalidInput."""
        ...


@dataclass(frozen=True, slots=True)
class Part:
    """Which trips of a file: those from `since` on, or after the first share; of these the first `limit` by pickup."""

    after_share: float | None = None
    since: datetime | None = None
    limit: int | None = None

    def name(self, file_sha256: str) -> str:
        """What the state file calls this part of that content."""
        since = self.since.isoformat() if self.since else None
        return f"{file_sha256} after_share={self.after_share} since={since} limit={self.limit}"


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """The trips to replay, and what was refused of the whole file."""

    trips: TripColumns
    completions: CompletionColumns
    timeline: Timeline
    rows: int
    refused: Counter[Reason] = field(default_factory=Counter)


@dataclass(frozen=True, slots=True)
class Sources:
    """Several trips files as one."""

    files: Sequence[HashedSource]

    def batches(self, now: datetime) -> Iterator[TripBatch]:
        """Every row of every file."""
        for file in self.files:
            yield from file.batches(now)

    def sha256(self) -> str:
        """Of one file its own hash, of several the hash of theirs in order."""
        hashes = [file.sha256() for file in self.files]
        return hashes[0] if len(hashes) == 1 else hashlib.sha256("".join(hashes).encode()).hexdigest()


def choose(source: TripSource, part: Part, now: datetime) -> Chosen:
    """Read the file and choose. Raises NotEnoughTrips when nothing is left, and what the reader raises."""
    rows, refused, batches = 0, Counter[Reason](), []
    for batch in source.batches(now):
        rows += batch.rows
        refused.update(row.reason for row in batch.rejected)
        batches.append(batch)
    if not batches or not any(len(batch.trips) for batch in batches):
        raise NotEnoughTrips("the file holds no trip that can be replayed")
    trips = TripColumns.concatenate([batch.trips for batch in batches])
    completions = CompletionColumns.concatenate([batch.completions for batch in batches])
    chosen = _rows(trips, part)
    if not len(chosen):
        raise NotEnoughTrips("no trip of the file lies in the part that was asked for")
    trips, completions = trips.take(chosen), completions.take(chosen)
    return Chosen(trips, completions, timeline_of(trips, completions), rows, refused)


def _rows(trips: TripColumns, part: Part) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Positions of the chosen trips, in the file's order."""
    since = part.since
    if part.after_share is not None:
        since = start_of_rest(trips.pickup_at, part.after_share)
        if since is None:
            return np.empty(0, dtype=np.intp)
    chosen = np.arange(len(trips)) if since is None else np.flatnonzero(trips.pickup_at >= utc64(since))
    if part.limit is not None:
        earliest = np.argsort(trips.pickup_at[chosen], kind="stable")[: part.limit]
        chosen = np.sort(chosen[earliest])
    return chosen
