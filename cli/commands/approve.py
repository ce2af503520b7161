"""`tripcast approve`: let an episode ask for its training."""

import asyncio
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def approve(
    episode: Annotated[int, typer.Argument(min=1, help="The episode's number; `tripcast history` lists them.")],
    *,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "approved on the command line",
) -> None:
    """Let an episode ask for its training, where the policy says `approval = "manual"`."""
    from adapters.environment.logs import configure  # noqa: PLC0415 - loads structlog
    from batch import bootstrap  # noqa: PLC0415 - loads ONNX Runtime and asyncpg
    from batch.settings import BatchSettings  # noqa: PLC0415 - loads pydantic-settings

    settings = BatchSettings.read()
    configure(settings)
    event = asyncio.run(bootstrap.approve(settings, episode, reason))
    Console().print(
        f"Episode {episode} is approved by {event.actor}; its training is asked for at the next hour of event time."
    )
