"""What `tripcast load` and `tripcast simulate --history` do between their arguments and their report."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.table import Table

from batch.load import FileReport, TripSource
from cli.sources import bootstrap
from cli.sources.settings import HistorySettings
from domain.entities.rejections import Reason


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What became of the rows of every file."""

    files: Sequence[FileReport]

    def as_dict(self) -> dict[str, object]:
        """For JSON: totals, then each file."""
        return {**_as_dict(self._totals()), "files": [_as_dict(file) for file in self.files]}

    def show(self, console: Console) -> None:
        """As a table of what was stored, and one line for each reason of refusal."""
        totals = self._totals()
        table = Table("rows", "", title=", ".join(file.file for file in self.files))
        table.columns[0].justify = "right"
        table.add_row(f"{totals.inserted:,}", "stored now")
        table.add_row(f"{totals.already_there:,}", "there already")
        table.add_row(f"{totals.held_back:,}", "held back: later than the part that was asked for")
        for reason, count in totals.refused.most_common():
            table.add_row(f"{count:,}", f"refused: {reason.description} ({reason})")
        console.print(table)
        seconds = max(totals.seconds, 1e-9)
        console.print(f"{totals.rows:,} rows in {seconds:.1f} s, {totals.rows / seconds:,.0f} rows/s", highlight=False)

    def _totals(self) -> "Totals":
        refused: Counter[Reason] = Counter()
        for file in self.files:
            refused.update(file.refused)
        return Totals(
            rows=sum(file.rows for file in self.files),
            inserted=sum(file.inserted for file in self.files),
            already_there=sum(file.already_there for file in self.files),
            held_back=sum(file.held_back for file in self.files),
            refused=refused,
            seconds=sum(file.seconds for file in self.files),
        )


@dataclass(frozen=True, slots=True)
class Totals:
    """Sums over all files."""

    rows: int
    inserted: int
    already_there: int
    held_back: int
    refused: Counter[Reason]
    seconds: float


def _as_dict(report: "Totals | FileReport") -> dict[str, object]:
    found = {field.name: getattr(report, field.name) for field in fields(report)}
    return found | {"refused": dict(report.refused), "seconds": round(report.seconds, 3)}


async def load_files(
    paths: Sequence[Path],
    *,
    zones: Path | None = None,
    first_share: float | None = None,
    until: datetime | None = None,
    console: Console | None = None,
) -> LoadReport:
    """Load files as history; a progress bar on `console` when it is a terminal."""
    settings = HistorySettings.read()
    sources = [(str(path), bootstrap.open_file(settings, path, zones)) for path in paths]
    return await load_sources(settings, sources, first_share=first_share, until=until, console=console)


async def load_sources(
    settings: HistorySettings,
    sources: Sequence[tuple[str, TripSource]],
    *,
    first_share: float | None = None,
    until: datetime | None = None,
    console: Console | None = None,
) -> LoadReport:
    """Load whatever has trips, by name."""
    bootstrap.configure_logs(settings)
    bar = _bar(console)
    tasks: dict[str, TaskID] = {}

    def progress(name: str, share: float) -> None:
        if name not in tasks:
            tasks[name] = bar.add_task(Path(name).name, total=1.0)
        bar.update(tasks[name], completed=share)

    with bar:
        async with bootstrap.history_loader(settings, progress) as load:
            return LoadReport(await load(sources, first_share, until))


def _bar(console: Console | None) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=console is None or not console.is_terminal, transient=True)
