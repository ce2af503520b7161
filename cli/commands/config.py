"""`tripcast config`: all settings, where each comes from, secrets masked."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Column, Table

from adapters.environment.origins import Setting, all_settings, unknown_names
from cli.settings import data_folder, roles, warn_of_unknown_names

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def config(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
    data: Annotated[Path | None, typer.Option(help="Folder of the stack's data (TRIPCAST_DATA, .tripcast).")] = None,
) -> None:
    """Show every setting of every role. The environment wins over .env, and .env over a running local stack's stack.env."""
    kinds = roles()
    settings = all_settings(data_folder(data), kinds)
    if as_json:
        unknown = unknown_names(kinds.values())
        typer.echo(json.dumps({"settings": [asdict(setting) for setting in settings], "unknown": unknown}))
        return
    Console().print(_table(settings))
    warn_of_unknown_names(Console(stderr=True, soft_wrap=True))


def _table(settings: Sequence[Setting]) -> Table:
    table = Table(Column("setting", no_wrap=True), "value", "from", "of", "meaning", box=None, pad_edge=False)
    for setting in settings:
        style = None if setting.origin == "default" else "bold"
        table.add_row(setting.name, setting.value, setting.origin, ", ".join(setting.roles), setting.description, style=style)
    return table
