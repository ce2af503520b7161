"""`tripcast replay`: publish trip files as live events, in event-time order."""

import asyncio
import math
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from domain.errors import InvalidInput

app = typer.Typer(add_completion=False)
FASTEST = "max"


@app.command()
def replay(
    files: Annotated[list[Path], typer.Argument(help="Trips: the 2016 CSV layout, or TLC monthly parquet files.")],
    *,
    after_share: Annotated[
        float | None, typer.Option(help="Leave out the first share of trips by pickup, e.g. 0.8: `load --first-share 0.8`.")
    ] = None,
    since: Annotated[datetime | None, typer.Option(help="Leave out trips with a pickup before this time (UTC).")] = None,
    speed: Annotated[str, typer.Option(help="Event seconds per second, or max for as fast as possible.")] = "600",
    zones: Annotated[Path | None, typer.Option(help="Zones table with centroids, for files that give zones.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Replay only the first trips of the part.")] = None,
    state: Annotated[Path | None, typer.Option(help="Remember in this file how far it got; go on from there.")] = None,
    lockstep: Annotated[
        bool, typer.Option("--lockstep", help="Wait after each turn of event time until the closed loop has dealt with it.")
    ] = False,
    traced: Annotated[float, typer.Option(min=0, max=1, help="Share of trips whose events begin a trace.")] = 0.001,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Publish trip files as live events, in event-time order. Ends cleanly on Ctrl-C and SIGTERM."""
    from cli.sources.replay_command import ReplayOptions, replay_file  # noqa: PLC0415 - loads pyarrow and aiokafka
    from cli.sources.replay_file import Part  # noqa: PLC0415 - loads numpy

    if after_share is not None and since is not None:
        raise InvalidInput("--after-share and --since exclude each other")
    if after_share is not None and not 0 <= after_share < 1:
        raise InvalidInput(f"--after-share {after_share}: a share lies between 0 and 1")
    part = Part(after_share, since.replace(tzinfo=since.tzinfo or UTC) if since else None, limit)
    options = ReplayOptions(files, zones, part, parsed_speed(FASTEST if lockstep else speed), state, lockstep, traced)
    console = Console(stderr=True)
    summary = asyncio.run(replay_file(options, None if as_json else console))
    if as_json:
        Console().print_json(data=summary.as_dict())
    else:
        summary.show(Console())


def parsed_speed(text: str) -> float:
    """Event seconds per second. Raises InvalidInput."""
    try:
        speed = math.inf if text == FASTEST else float(text)
    except ValueError:
        speed = math.nan
    if not speed > 0:
        raise InvalidInput(f"--speed {text}: not a positive number, nor {FASTEST}")
    return speed
