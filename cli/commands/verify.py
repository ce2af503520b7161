"""`tripcast verify`: re-score stored predictions and compare them bit for bit."""

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table

from cli.times import aware
from domain.errors import AuditFailed

if TYPE_CHECKING:
    from batch.verify import Verification

SOURCES = {"stream": "stream", "api": "API"}  # in words

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def verify(
    *,
    since: Annotated[datetime | None, typer.Option(help="Only trips with a pickup from this time on (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="Only trips with a pickup before this time (UTC).")] = None,
    version: Annotated[int | None, typer.Option(min=1, help="Only predictions of this model version.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="At most so many predictions.")] = None,
    source: Annotated[
        Literal["stream", "api", "all"], typer.Option(help="Predictions of the stream, or those that the API gave, or both.")
    ] = "all",
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Score stored trips again with the version that each prediction names, and compare durations and intervals to the bit."""
    from batch import bootstrap  # noqa: PLC0415 - loads ONNX Runtime and asyncpg
    from batch.settings import BatchSettings  # noqa: PLC0415 - loads pydantic-settings

    wanted = bootstrap.Range(aware(since), aware(until), version, limit, bootstrap.Source(source))
    columns = (SpinnerColumn(), TextColumn("predictions checked"), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("", total=limit)
        result = asyncio.run(bootstrap.verify(BatchSettings.read(), wanted, lambda rows: progress.advance(bar, rows)))
    if as_json:
        Console().print_json(data={"ok": result.ok, **asdict(result)})
    else:
        _show(result, Console())
    if not result.ok:
        wrong = f"{result.different} of {result.checked} predictions have other bits"
        raise AuditFailed(f"{wrong}, and {result.unverifiable_rows} could not be made again")


def _show(result: "Verification", console: Console) -> None:
    roles = ", ".join(f"{count:,} as {role}" for role, count in sorted(result.checked_by_role.items()))
    sources = ", ".join(f"{count:,} of the {SOURCES[source]}" for source, count in sorted(result.checked_by_source.items()))
    found = f"{sources}; {roles}" if result.checked else "none"
    console.print(f"{result.checked:,} predictions checked ({found}), {result.different:,} different.")
    for version, why in result.unverifiable.items():
        console.print(f"Version {version} could not be used: {why}", style="red", markup=False)
    if result.differences:
        table = Table("trip or prediction", "version", "role", "asked by", "stored s", "made s", box=None, pad_edge=False)
        for each in result.differences:
            seconds = str(each.stored_seconds), str(each.made_seconds)
            table.add_row(each.trip_id, str(each.model_version), each.role, SOURCES[each.source], *seconds)
        console.print(table)
