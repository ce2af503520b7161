"""Load trip files as history: what can be true is stored once, what cannot is kept with its reason."""

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import PurePath
from typing import Protocol

import numpy as np

from domain.entities.files import LoadedFile, RejectedRow, TripBatch
from domain.entities.rejections import Reason
from domain.entities.trips import TIME, CompletionColumns, TripColumns
from domain.errors import InvalidInput
from domain.split import start_of_rest, utc64

Progress = Callable[[str, float], None]  # a source's name, and the share of it that is stored


class TripSource(Protocol):
    """A trips file, or what stands for one."""

    @property
    def layout_name(self) -> str:
        """The layout's name."""
        ...

    def sha256(self) -> str:
        """A hash of the content, 64 hex digits: the file's name in the ledger. Raises InvalidInput."""
        ...

    def batches(self, now: datetime) -> Iterator[TripBatch]:
        """Every row, in bounded stretches; the same each time. Raises InvalidInput for a damaged file."""
        ...


class History(Protocol):
    """Stored trips. Every method is idempotent and raises DatabaseUnreachable."""

    async def add(self, trips: TripColumns, completions: CompletionColumns) -> int:
        """Store trips with their completions, leaving those that are there untouched; returns how many were not."""
        ...

    async def reject(self, file_sha256: str, rows: Sequence[RejectedRow]) -> None:
        """Keep refused rows."""
        ...

    async def finish(self, file: LoadedFile) -> None:
        """Write the ledger's line about a file."""
        ...


@dataclass(slots=True)
class FileReport:
    """What became of one file's rows: rows = inserted + already_there + held_back + the refused."""

    file: str
    layout: str
    sha256: str
    rows: int = 0
    inserted: int = 0
    already_there: int = 0
    held_back: int = 0
    refused: Counter[Reason] = field(default_factory=Counter)
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class LoadFiles:
    """Loads files one after the other. Loading a file again, in whole or in part, changes nothing that is stored."""

    history: History
    now: Callable[[], datetime]
    seconds: Callable[[], float]
    progress: Progress

    async def __call__(
        self, sources: Sequence[tuple[str, TripSource]], first_share: float | None = None, until: datetime | None = None
    ) -> list[FileReport]:
        """Load all trips, or those with a pickup before `until` or within the first share of all accepted trips.

        Raises InvalidInput for a damaged file; what stood before the damage may be stored by then.
        """
        now = self.now()
        if first_share is not None:
            until = await asyncio.to_thread(_end_of_first, [source for _, source in sources], first_share, now)
        return [await self._load(name, source, until, now) for name, source in sources]

    async def _load(self, name: str, source: TripSource, until: datetime | None, now: datetime) -> FileReport:
        started = self.seconds()
        report = FileReport(name, source.layout_name, await asyncio.to_thread(source.sha256))
        async with aclosing(_read_ahead(source.batches(now))) as batches:
            async for batch in batches:
                await self._store(batch, until, report)
                self.progress(name, batch.progress)
        accepted = report.inserted + report.already_there
        await self.history.finish(
            LoadedFile(report.sha256, PurePath(name).name, report.layout, report.rows, accepted, _by_name(report.refused))
        )
        report.seconds = self.seconds() - started
        return report

    async def _store(self, batch: TripBatch, until: datetime | None, report: FileReport) -> None:
        trips, completions = batch.trips, batch.completions
        if until is not None:
            wanted = trips.pickup_at < utc64(until)
            trips, completions = trips.take(wanted), completions.take(wanted)
        inserted = await self.history.add(trips, completions) if len(trips) else 0
        if batch.rejected:
            await self.history.reject(report.sha256, batch.rejected)
        report.rows += batch.rows
        report.inserted += inserted
        report.already_there += len(trips) - inserted
        report.held_back += len(batch.trips) - len(trips)
        report.refused.update(row.reason for row in batch.rejected)


def _end_of_first(sources: Sequence[TripSource], share: float, now: datetime) -> datetime | None:
    """Read everything once for the pickup times alone: 8 bytes a trip."""
    pickups = [batch.trips.pickup_at for source in sources for batch in source.batches(now)]
    return start_of_rest(np.concatenate([*pickups, np.empty(0, TIME)]), share)


def _by_name(refused: Counter[Reason]) -> dict[str, int]:
    return {str(reason): count for reason, count in refused.items()}


async def _read_ahead(batches: Iterator[TripBatch]) -> AsyncGenerator[TripBatch, None]:
    """Read the next stretch in a thread while the database stores this one."""
    reading = asyncio.create_task(asyncio.to_thread(next, batches, None))
    try:
        while (batch := await reading) is not None:
            reading = asyncio.create_task(asyncio.to_thread(next, batches, None))
            yield batch
    finally:
        with suppress(InvalidInput):  # reported by the await above, unless another error came first
            await reading
