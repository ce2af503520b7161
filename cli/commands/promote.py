"""`tripcast promote`: make a version champion."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def promote(
    version: Annotated[int, typer.Argument(min=1, help="The version's number; `tripcast models` lists them.")],
    *,
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
) -> None:
    """Make a version champion, after the checks that a worker would make. Workers follow within seconds, without a restart."""
    from adapters.environment.logs import configure  # noqa: PLC0415 - loads structlog
    from batch import bootstrap  # noqa: PLC0415 - loads ONNX Runtime and asyncpg
    from batch.settings import BatchSettings  # noqa: PLC0415 - loads pydantic-settings

    settings = BatchSettings.read()
    configure(settings)
    event = asyncio.run(bootstrap.promote(settings, version, reason))
    replaced = event.details["replaced"] if event else None
    instead = f" instead of version {replaced}" if replaced else ""
    Console().print(f"Version {version} is champion{instead}." if event else f"Version {version} was champion already.")
