"""`tripcast load`: load trip files as history."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from domain.errors import InvalidInput

app = typer.Typer(add_completion=False)


@app.command()
def load(
    files: Annotated[list[Path], typer.Argument(help="Trips: the 2016 CSV layout, or TLC monthly parquet files.")],
    *,
    zones: Annotated[Path | None, typer.Option(help="Zones table with centroids, for files that give zones.")] = None,
    first_share: Annotated[
        float | None,
        typer.Option(help="Load only the first share of trips by pickup, e.g. 0.8, and leave the rest to `replay`."),
    ] = None,
    until: Annotated[datetime | None, typer.Option(help="Load only trips with a pickup before this time (UTC).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Load trip files as history. Loading a file twice stores nothing twice; refused rows are kept with their reason."""
    from cli.sources.load_command import load_files  # noqa: PLC0415 - loads pyarrow and asyncpg

    if first_share is not None and until is not None:
        raise InvalidInput("--first-share and --until exclude each other")
    if first_share is not None and not 0 < first_share <= 1:
        raise InvalidInput(f"--first-share {first_share}: a share lies between 0 and 1")
    until = until.replace(tzinfo=until.tzinfo or UTC) if until else None
    console = None if as_json else Console(stderr=True)
    report = asyncio.run(load_files(files, zones=zones, first_share=first_share, until=until, console=console))
    if as_json:
        Console().print_json(data=report.as_dict())
    else:
        report.show(Console())
