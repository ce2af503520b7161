"""What the domain needs from the world, as roles; each docstring is the contract that adapters and fakes are tested against."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from domain.entities.models import Alias, LifecycleEvent, ModelVersion
from domain.entities.rejections import DeadLetter
from domain.entities.streams import (
    BatchReceipt,
    CommittedPredictions,
    Contradiction,
    EventBatch,
    Position,
    StreamSource,
)
from domain.features import Matrix
from domain.intervals import IntervalBands


class Clock(Protocol):
    """Wall time. Used for latency, time-outs and stamps alone; event time comes from events."""

    def now(self) -> datetime:
        """The current instant, aware, in UTC."""
        ...


class ScoringModel(Protocol):
    """A verified, warmed-up model version. Immutable and safe to call from several threads."""

    @property
    def version(self) -> int:
        """The registry's version number."""
        ...

    @property
    def feature_schema(self) -> str:
        """The feature schema that it was trained with; equal to the running one, or it would have been refused."""
        ...

    @property
    def intervals(self) -> IntervalBands:
        """The calibrated interval that was stored with the version."""
        ...

    def duration_seconds(self, features: Matrix) -> NDArray[np.float32]:
        """Shape (n,) for features of shape (n, f). The bits of a row do not depend on the other rows. Releases the GIL."""
        ...


class ChampionSource(Protocol):
    """Gives the model that scores now."""

    def current(self) -> ScoringModel:
        """The champion. Cheap: an attribute, no I/O. Raises NoChampion."""
        ...


class ShadowSource(Protocol):
    """Gives the model that scores beside the champion, for comparison alone."""

    def beside(self, champion: ScoringModel) -> ScoringModel | None:
        """What shadows this champion, or None. Another version than the champion's. Cheap: no I/O."""
        ...

    def refuse(self, model: ScoringModel) -> None:
        """It failed while it scored, and must not be given again."""
        ...


class ModelRegistry(Protocol):
    """The registry of model versions. Every method raises RegistryUnreachable within its deadline (default 10 s)."""

    def resolve(self, alias: Alias) -> ModelVersion | None:
        """The version that carries the alias, or None."""
        ...

    def get(self, version: int) -> ModelVersion:
        """One version. Raises UnknownVersion."""
        ...

    def versions(self) -> list[ModelVersion]:
        """All versions, newest first, with aliases."""
        ...

    def set_alias(self, alias: Alias, version: int) -> None:
        """Move an alias. Idempotent. Raises UnknownVersion."""
        ...

    def drop_alias(self, alias: Alias) -> None:
        """Remove an alias. Idempotent."""
        ...

    def download(self, version: ModelVersion, folder: Path) -> None:
        """Write every file of the version into `folder`. Sizes and hashes are checked by the reader, not here."""
        ...


Fetch = Callable[[ModelVersion, Path], None]


class ModelLibrary(Protocol):
    """Verified copies of model versions on this machine, and which of them was champion last. Safe for several processes."""

    def admit(self, version: ModelVersion, fetch: Fetch) -> ScoringModel:
        """The version, checked against the registry's record of it and warmed up; fetched when no good copy is here.

        Raises ModelRefused when what was fetched fails a check, and whatever `fetch` raises.
        """
        ...

    def last_champion(self) -> ModelVersion | None:
        """The version that was remembered last, as the registry described it then; None when there is none."""
        ...

    def remember_champion(self, version: ModelVersion) -> None:
        """Note the version for a start without the registry. Idempotent, atomic."""
        ...


class LifecycleJournal(Protocol):
    """The record of what happened to models. Raises DatabaseUnreachable."""

    async def record(self, event: LifecycleEvent) -> None:
        """Append an event."""
        ...

    async def newest(self, kinds: Sequence[str], subject: str | None = None) -> LifecycleEvent | None:
        """The event of these kinds, and about this subject if one is given, that was recorded last, or None."""
        ...


class Detector(Protocol):
    """A detector of change in a series. Deterministic: the same values in the same order alarm at the same places."""

    def update(self, value: float) -> bool:
        """Feed a value; whether it raised an alarm."""
        ...

    @property
    def statistic(self) -> float | None:
        """What it compares with the threshold of its settings, as of the last value; None where it compares no one number."""
        ...


Announce = Callable[[LifecycleEvent], Awaitable[None]]


Refuse = Callable[[Sequence[Contradiction]], Awaitable[Sequence[DeadLetter]]]


class StreamStore(Protocol):
    """Rows and offsets in one transaction. Raises DatabaseUnreachable for every infrastructure error; data never raises it."""

    async def register(self, source: StreamSource) -> int:
        """The id of this incarnation of the topic, created on first sight. Idempotent."""
        ...

    async def previous_source(self, source: StreamSource) -> StreamSource | None:
        """The newest other incarnation of the same topic name, or None."""
        ...

    async def positions(self, source_id: int, partitions: Sequence[int]) -> dict[int, Position]:
        """Stored positions; a partition that was never read is absent."""
        ...

    async def open_partition(self, source_id: int, partition: int, start_offset: int) -> Position:
        """Store the first position of a partition. Idempotent: an existing one is returned unchanged."""
        ...

    async def mark_suspect(self, source_id: int, partition: int, offset: int) -> int:
        """Record, durably, that this record is about to be handled alone; returns how often it was marked, from 1."""
        ...

    async def write(self, source_id: int, batch: EventBatch, refuse: Refuse) -> BatchReceipt:
        """Write a batch in one transaction; nothing of it is visible unless all of it is.

        Locks the partitions' positions; raises Fenced when a stored next_offset is not the span's first offset. Inserts with
        ON CONFLICT DO NOTHING: an identical repeat becomes a skipped record, a contradicting one is handed to `refuse` with the
        batch still uncommitted, and the dead letters that `refuse` returns are stored. Clears the partitions' suspects.
        Of `batch.shadow` the same rows are stored as of `batch.predictions`, under its own stamp.
        """
        ...

    async def unpublished(
        self, source_id: int, partition: int, first_offset: int, limit: int
    ) -> tuple[CommittedPredictions, int]:
        """Committed champion predictions of records >= first_offset in offset order, and the offset to go on from.

        Reads at most `limit` rows.
        """
        ...

    async def mark_published(self, source_id: int, published: dict[int, int]) -> None:
        """Advance published_offset per partition. Idempotent; never moves it back, nor beyond what is committed."""
        ...

    async def record(self, event: LifecycleEvent) -> None:
        """Append a lifecycle event."""
        ...
