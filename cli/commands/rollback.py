"""`tripcast rollback`: make the previous champion champion again."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def rollback(*, reason: Annotated[str, typer.Option(help="Why, for the record.")]) -> None:
    """Make the version with the alias `previous` champion again. Workers follow within seconds, without a restart."""
    from adapters.environment.logs import configure  # noqa: PLC0415 - loads structlog
    from batch import bootstrap  # noqa: PLC0415 - loads ONNX Runtime and asyncpg
    from batch.settings import BatchSettings  # noqa: PLC0415 - loads pydantic-settings

    settings = BatchSettings.read()
    configure(settings)
    event = asyncio.run(bootstrap.roll_back(settings, reason))
    Console().print(f"Version {event.details['version']} is champion again.")
