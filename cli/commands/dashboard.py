"""`tripcast dashboard`: run the board."""

import typer

app = typer.Typer()


@app.command()
def dashboard() -> None:
    """Serve the board until stopped by Ctrl-C or SIGTERM. TRIPCAST_* variables set everything; see `tripcast config`."""
    from adapters.environment.logs import configure  # noqa: PLC0415 - loads structlog
    from cli.settings import log_unknown_names  # noqa: PLC0415 - loads pydantic-settings
    from dashboard.bootstrap import run  # noqa: PLC0415 - loads Dash
    from dashboard.settings import BoardSettings  # noqa: PLC0415 - loads pydantic-settings

    settings = BoardSettings.read()
    configure(settings)
    log_unknown_names()
    run(settings)
