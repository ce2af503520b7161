"""`tripcast worker`: run the stream worker role."""

import typer

app = typer.Typer()


@app.command()
def worker() -> None:
    """Score trip events until stopped by Ctrl-C or SIGTERM. TRIPCAST_* variables set everything; see `tripcast config`."""
    from adapters.environment.logs import configure  # noqa: PLC0415 - loads structlog
    from cli.settings import log_unknown_names  # noqa: PLC0415 - loads pydantic-settings
    from stream.bootstrap import run  # noqa: PLC0415 - loads Faust, aiokafka and ONNX Runtime
    from stream.settings import WorkerSettings  # noqa: PLC0415 - loads pydantic-settings

    settings = WorkerSettings.read()
    configure(settings)
    log_unknown_names()
    run(settings)
