"""`tripcast models`: list model versions with their metrics and aliases."""

from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def models(*, as_json: Annotated[bool, typer.Option("--json", help="Print the list as JSON.")] = False) -> None:
    """List the versions of the model, the newest first, with what they are and how well they did on held-out trips."""
    from batch.bootstrap import list_versions  # noqa: PLC0415 - loads ONNX Runtime and asyncpg
    from batch.settings import BatchSettings  # noqa: PLC0415 - loads pydantic-settings

    versions = list_versions(BatchSettings.read())
    if as_json:
        Console().print_json(data=[{**asdict(each), "created_at": each.created_at.isoformat()} for each in versions])
        return
    table = Table("version", "aliases", "kind", "RMSE min", "MAE min", "inputs", "registered, UTC", box=None, pad_edge=False)
    for each in versions:
        errors = (f"{each.metrics[name]:.2f}" if name in each.metrics else "" for name in ("rmse_minutes", "mae_minutes"))
        when = f"{each.created_at:%Y-%m-%d %H:%M}"
        table.add_row(str(each.version), ", ".join(each.aliases), each.kind, *errors, each.feature_schema, when)
    Console().print(table if versions else "No version is registered; `tripcast train` makes the first.")
