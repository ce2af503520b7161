"""`tripcast api`: run the API role."""

import typer

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def api() -> None:
    """Answer over HTTP until Ctrl-C or SIGTERM. TRIPCAST_* variables set everything; see `tripcast config`."""
    from adapters.environment.logs import configure  # noqa: PLC0415 - loads structlog
    from api.bootstrap import run  # noqa: PLC0415 - loads FastAPI, asyncpg and ONNX Runtime
    from api.settings import ApiSettings  # noqa: PLC0415 - loads pydantic-settings
    from cli.settings import log_unknown_names  # noqa: PLC0415 - loads pydantic-settings

    settings = ApiSettings.read()
    configure(settings)
    log_unknown_names()
    run(settings)
