"""`tripcast up`: the local all-in-one stack."""

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from cli.settings import StackSettings, data_folder, warn_of_unknown_names
from cli.stack.folder import DataFolder
from cli.stack.options import UpOptions

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(context_settings={"allow_extra_args": True, "ignore_unknown_options": True})
def up(
    context: typer.Context,
    trips: Annotated[Path | None, typer.Option(help="Learn from the first part of this file, replay the rest as live.")] = None,
    zones: Annotated[Path | None, typer.Option(help="Zones table, for files that give zones.")] = None,
    speed: Annotated[str | None, typer.Option(help="Event seconds per second, or max.")] = None,
    *,
    once: Annotated[
        bool, typer.Option("--once", help="End when everything is drained; exit 0 only if the audit is clean.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Progress on standard error, one JSON document on standard output.")
    ] = False,
    source: Annotated[bool, typer.Option("--source/--no-source", help="Whether to publish trips at all.")] = True,
    api: Annotated[
        bool | None, typer.Option("--api/--no-api", help="Whether to serve the API; by default unless --once.")
    ] = None,
    board: Annotated[
        bool | None, typer.Option("--board/--no-board", help="Whether to serve the board; by default unless --once.")
    ] = None,
    data: Annotated[Path | None, typer.Option(help="Folder of the stack's data (TRIPCAST_DATA, .tripcast).")] = None,
) -> None:
    """Start Kafka, PostgreSQL, MLflow, trainer, worker, API, board and a trip source; Ctrl-C stops all.

    Options that are not listed go to the source, such as --slowdown 1.5 of `tripcast simulate`.
    """
    options = UpOptions(trips, zones, speed, source, api, board, once, as_json, tuple(context.args))
    console = Console(stderr=as_json, soft_wrap=True)
    folder = DataFolder(data_folder(data).absolute())
    settings = StackSettings.read(data=folder.path)
    warn_of_unknown_names(console)
    from cli.stack.session import up as run  # noqa: PLC0415 - loads asyncpg and aiokafka

    summary = run(settings, folder, options, console)
    if summary is not None:
        if as_json:
            typer.echo(json.dumps(summary.document))
        else:
            console.print_json(data=summary.document)
        summary.check()
