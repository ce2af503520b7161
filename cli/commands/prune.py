"""`tripcast prune`: drop history that is older than it is kept."""

import asyncio
import getpass
import json
import re
import sys
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.times import aware
from domain.errors import InvalidInput
from domain.retention import Retention

if TYPE_CHECKING:
    from cli.prune.bootstrap import Pruning

app = typer.Typer(add_completion=False, rich_markup_mode=None)


def _days(text: str) -> timedelta:
    found = re.fullmatch(r"([1-9]\d{0,4})d", text)
    if not found:
        raise InvalidInput(f"{text} is no age such as 400d")
    return timedelta(days=int(found[1]))


@app.command()
def prune(
    *,
    older_than: Annotated[
        str,
        typer.Option(metavar="AGE", help="Age of trips with their predictions and ends: whole months go."),
    ] = "400d",
    refused_older_than: Annotated[
        str, typer.Option(metavar="AGE", help="Age of dead letters and of refused rows of files.")
    ] = "90d",
    served_older_than: Annotated[str, typer.Option(metavar="AGE", help="Age of predictions that the API gave.")] = "400d",
    minutes_older_than: Annotated[
        str, typer.Option(metavar="AGE", help="Age of roll-ups by the minute, in event time.")
    ] = "800d",
    before: Annotated[
        datetime | None, typer.Option(help="Trips with a pickup before this date (UTC), instead of an age: for replays.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Drop old months of history and delete other old rows; what is gone stays accounted for. The owner's login is needed."""
    from cli.prune import bootstrap  # noqa: PLC0415 - loads asyncpg

    settings = bootstrap.PruneSettings.read()
    retention = Retention(*map(_days, (older_than, refused_older_than, served_older_than, minutes_older_than)))
    going = asyncio.run(bootstrap.plan(settings, retention, aware(before)))
    if not as_json:
        _show(going, Console())
    if dry_run or going.nothing:
        if as_json:
            typer.echo(json.dumps({"dry_run": dry_run, **_as_dict(going), "gone": {}}))
        return
    if not yes:
        _ask()
    console = Console(stderr=True, highlight=False)
    gone = asyncio.run(bootstrap.prune(settings, going, getpass.getuser(), console.print))
    if as_json:
        typer.echo(json.dumps({"dry_run": False, **_as_dict(going), "gone": gone}))


def _ask() -> None:
    if not sys.stdin.isatty():
        raise InvalidInput("what is pruned is gone: say --yes, or look first with --dry-run")
    typer.confirm("What is pruned is gone. Go on?", abort=True)


def _show(going: "Pruning", console: Console) -> None:
    if going.nothing:
        console.print("Nothing is that old.")
        return
    table = Table("what", "how much", box=None, pad_edge=False)
    for month in going.months:
        again = ", left by a prune that did not end" if month.taken_out else ""
        table.add_row(f"trips of {month.first:%Y-%m}{again}", f"{month.bytes / 1e6:,.0f} MB")
    for name, rows in going.rows.items():
        if rows:
            table.add_row(name, f"{rows:,} rows")
    console.print(table)


def _as_dict(going: "Pruning") -> dict[str, object]:
    return {
        "months": [{"month": f"{month.first:%Y-%m}", "bytes": month.bytes} for month in going.months],
        "rows": going.rows,
    }
