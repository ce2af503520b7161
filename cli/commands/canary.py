"""`tripcast canary`: run the canary role."""

import asyncio

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def canary() -> None:
    """Send a trip every few seconds, and measure when its prediction and its row are there, until Ctrl-C or SIGTERM."""
    from adapters.environment.logs import configure  # noqa: PLC0415 - loads structlog
    from cli.canary.bootstrap import run  # noqa: PLC0415 - loads asyncpg and aiokafka
    from cli.canary.settings import CanarySettings  # noqa: PLC0415 - loads pydantic-settings

    settings = CanarySettings.read()
    configure(settings)
    asyncio.run(run(settings))
