"""What `tripcast replay` does between its arguments and its summary."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from cli.sources import bootstrap
from cli.sources.pace import Waiting, until_signal
from cli.sources.replay import Published
from cli.sources.replay_file import Chosen, Part, Sources, choose
from cli.sources.replay_state import ReplayState
from cli.sources.settings import SourceSettings
from domain.entities.rejections import Reason


@dataclass(frozen=True, slots=True)
class ReplayOptions:
    """What the user asked for. `speed` is event seconds per second, or infinity; `lockstep` waits for the service.

    `traced`: share of the trips.
    """

    files: Sequence[Path]
    zones: Path | None
    part: Part
    speed: float
    state: Path | None
    lockstep: bool = False
    traced: float = 0.0

    @property
    def name(self) -> str:
        """Of the files, for people."""
        return ", ".join(map(str, self.files))


@dataclass(frozen=True, slots=True)
class ReplaySummary:
    """What was published, and what the file held that could not be."""

    file: str
    rows: int
    trips: int
    refused: dict[Reason, int]
    resumed_at: int
    published_started: int
    published_completed: int
    seconds: float
    events_per_second: float
    stopped: bool

    def as_dict(self) -> dict[str, object]:
        """For JSON."""
        return asdict(self)

    def show(self, console: Console) -> None:
        """As a table."""
        table = Table("what", "events", title=f"Replay of {self.file}{' (stopped)' if self.stopped else ''}")
        table.add_row("trips started", f"{self.published_started:,}")
        table.add_row("trips completed", f"{self.published_completed:,}")
        for reason, count in sorted(self.refused.items(), key=lambda item: -item[1]):
            table.add_row(f"refused: {reason.description}", f"{count:,}")
        console.print(table)
        console.print(f"{self.seconds:.1f} s, {self.events_per_second:,.0f} events/s", highlight=False)


async def replay_file(options: ReplayOptions, console: Console | None) -> ReplaySummary:
    """Read, publish, summarise; a progress bar on `console` when it is a terminal."""
    settings = SourceSettings.read()
    bootstrap.configure_logs(settings)
    file = Sources([bootstrap.open_file(settings, path, options.zones) for path in options.files])
    state, name = ReplayState(options.state), options.part.name(file.sha256())
    position = state.position(name)
    chosen = choose(file, options.part, bootstrap.wall_now())
    bar = _bar(console)
    task = bar.add_task("events", total=len(chosen.timeline), completed=position)

    def remember(reached: int) -> None:
        state.remember(name, reached)
        bar.update(task, completed=reached)

    def say(why: str) -> None:
        bar.update(task, description=f"events (waits: {why})")

    async with AsyncExitStack() as stack:
        waiting = await stack.enter_async_context(until_signal())
        publish = await stack.enter_async_context(bootstrap.trip_events(settings, options.traced, waiting))
        turns = await stack.enter_async_context(bootstrap.lockstep(waiting, say)) if options.lockstep else None
        began = waiting.seconds()
        with bar:
            replay = bootstrap.create_replay(publish, waiting, remember, options.speed, turns)
            published = await replay(chosen.trips, chosen.completions, chosen.timeline, position)
        return _summary(options, chosen, published, position, _seconds_since(began, waiting))


def _summary(options: ReplayOptions, chosen: Chosen, published: Published, position: int, seconds: float) -> ReplaySummary:
    return ReplaySummary(
        file=options.name,
        rows=chosen.rows,
        trips=len(chosen.trips),
        refused=dict(chosen.refused),
        resumed_at=position,
        published_started=published.started,
        published_completed=published.completed,
        seconds=round(seconds, 3),
        events_per_second=round((published.started + published.completed) / max(seconds, 1e-9), 1),
        stopped=published.stopped,
    )


def _seconds_since(began: float, waiting: Waiting) -> float:
    return waiting.seconds() - began


def _bar(console: Console | None) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=console is None or not console.is_terminal, transient=True)
