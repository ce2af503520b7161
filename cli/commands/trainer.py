"""`tripcast trainer`: run the trainer role."""

import asyncio
import sys

import typer

from cli.exit_codes import EXIT_CODES

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def trainer() -> None:
    """Train the first champion when enough trips are stored, then whenever it is asked for, until Ctrl-C or SIGTERM."""
    from adapters.environment.logs import configure  # noqa: PLC0415 - loads structlog
    from batch.settings import BatchSettings  # noqa: PLC0415 - loads pydantic-settings
    from batch.trainer_bootstrap import run  # noqa: PLC0415 - loads asyncpg and aiokafka
    from cli.settings import log_unknown_names  # noqa: PLC0415 - loads pydantic-settings

    settings = BatchSettings.read()
    configure(settings)
    log_unknown_names()
    train = [sys.executable, "-m", "cli", "train"]
    asyncio.run(run(settings, train, {code: kind for kind, code in EXIT_CODES.items()}))
