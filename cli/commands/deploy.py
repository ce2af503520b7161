"""`tripcast deploy`: bring a version from one environment to another, and back again when that harms."""

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from domain.errors import InvalidInput, ModelRefused

if TYPE_CHECKING:
    from batch.deploy import Deployed

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def deploy(
    version: Annotated[
        int | None, typer.Argument(min=1, help="The source's version; without it the source's champion.")
    ] = None,
    *,
    reason: Annotated[str, typer.Option(help="Why, for the record.")],
    from_registry: Annotated[str | None, typer.Option(help="The source's MLflow (TRIPCAST_SOURCE_MLFLOW).")] = None,
    from_model: Annotated[str | None, typer.Option(help="The source's model name (TRIPCAST_SOURCE_MODEL).")] = None,
    api: Annotated[list[str] | None, typer.Option(help="An API to watch (TRIPCAST_DEPLOY_API).")] = None,
    worker: Annotated[list[str] | None, typer.Option(help="A worker's metrics to watch (TRIPCAST_DEPLOY_WORKERS).")] = None,
    within: Annotated[float, typer.Option(min=1, help="Seconds in which all must serve it.")] = 60.0,
    watch: Annotated[float, typer.Option(min=0, help="Seconds for which all must stay well with it.")] = 60.0,
    gate: Annotated[Path | None, typer.Option(help="What `tripcast gate --verdict` wrote, for the record.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the outcome as JSON.")] = False,
) -> None:
    """Copy a version here by its hashes, make it champion, watch the service, and roll back (exit code 6) if it is not well.

    "Here" is the environment of TRIPCAST_MLFLOW, TRIPCAST_MODEL and TRIPCAST_DATABASE.
    """
    from adapters.environment.logs import configure  # noqa: PLC0415 - loads structlog
    from batch import deploy_bootstrap as bootstrap  # noqa: PLC0415 - loads MLflow
    from batch.settings import DeploySettings  # noqa: PLC0415 - loads pydantic-settings

    given = {
        "source_mlflow": from_registry,
        "source_model": from_model,
        "deploy_api": ",".join(api) if api else None,
        "deploy_workers": ",".join(worker) if worker else None,
    }
    settings = DeploySettings.read(**{name: value for name, value in given.items() if value is not None})
    configure(settings)
    options = bootstrap.DeployOptions(reason, version, within, watch, _gate(gate) if gate else {})
    with Console(stderr=True).status("starting") as status:
        deployed = asyncio.run(bootstrap.deploy(settings, options, status.update))
    if as_json:
        Console().print_json(data=_as_dict(deployed))
    else:
        instead = f" instead of version {deployed.replaced}" if deployed.replaced else ""
        Console().print(f"Version {deployed.version} is champion{instead}, and the service is well with it.")


def _gate(path: Path) -> dict[str, str]:
    """The numbers that the record keeps. Raises InvalidInput, and ModelRefused when the gate had failed."""
    try:
        verdict = json.loads(path.read_text())
        measured = verdict["measured"] or {}
        passed = bool(verdict["passed"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InvalidInput(f"{path} is not what `tripcast gate --verdict` writes") from error
    if not passed:
        raise ModelRefused(f"{path}: the model gate had failed")
    return {name: str(measured.get(name)) for name in ("trips_sha256", "rmse_minutes", "coverage")}


def _as_dict(deployed: "Deployed") -> dict[str, object]:
    source = {"version": deployed.source.version, "run_id": deployed.source.run_id}
    return {"version": deployed.version, "replaced": deployed.replaced, "source": source}
