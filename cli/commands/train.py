"""`tripcast train`: train the candidates on the stored trips and register the best."""

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.times import aware, span_of

if TYPE_CHECKING:
    from batch.train import TrainingReport

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def train(
    *,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "asked for on the command line",
    since: Annotated[datetime | None, typer.Option(help="Only trips with a pickup from this time on (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="Only trips with a pickup before this time (UTC).")] = None,
    promote: Annotated[
        bool | None,
        typer.Option(
            "--promote/--no-promote",
            help="Champion at once, or challenger in any case; without either, champion only where there is none.",
            show_default=False,
        ),
    ] = None,
    as_of: Annotated[datetime | None, typer.Option(help="Only trips that had ended before this time (UTC).")] = None,
    since_break: Annotated[datetime | None, typer.Option(help="When the city changed (UTC), if it did.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(metavar="FROM/UNTIL", help="Leave out pickups in this span.")] = None,
    dask: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Train on the Dask cluster whose scheduler this is, such as tcp://host:8786."),
    ] = None,
    subject: Annotated[str | None, typer.Option(hidden=True)] = None,
    actor: Annotated[str | None, typer.Option(hidden=True)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Train every candidate, put the best through the gates, and make it challenger: compared with the champion, unseen."""
    from adapters.environment.logs import configure  # noqa: PLC0415 - loads structlog
    from batch import bootstrap, train_bootstrap  # noqa: PLC0415 - loads MLflow, scikit-learn and XGBoost
    from batch.settings import BatchSettings  # noqa: PLC0415 - loads pydantic-settings
    from batch.train import TrainingRequest  # noqa: PLC0415 - loads matplotlib

    settings = BatchSettings.read()
    configure(settings)
    request = TrainingRequest(
        actor or bootstrap.operator(),
        reason,
        aware(since),
        aware(until),
        promote,
        subject,
        aware(as_of),
        aware(since_break),
        tuple(span_of(text) for text in exclude or ()),
    )
    with Console(stderr=True).status("starting") as status:
        report = asyncio.run(train_bootstrap.train(settings, request, status.update, dask))
    if report is None:
        Console(stderr=True).print(f"{subject} has its training already.", highlight=False)
        return
    if as_json:
        Console().print_json(data=_as_dict(report))
    else:
        _show(report, Console())


def _as_dict(report: "TrainingReport") -> dict[str, Any]:
    from batch.train import metrics_of  # noqa: PLC0415 - loaded already

    candidates = {each.candidate.name: metrics_of(each) for each in report.contenders}
    identity = {key: str(value) if key.startswith("data_") else value for key, value in asdict(report.trained_from).items()}
    best = report.best.candidate.name
    registered = {"version": report.version, "kind": best, "promoted": report.promoted, "interval_coverage": report.coverage}
    registered |= {"alias": report.alias, "gates": [asdict(gate) for gate in report.gates]}
    return {**registered, **candidates[best], "data": identity, "candidates": candidates}


def _show(report: "TrainingReport", console: Console) -> None:
    from batch.compare import COURSE_RMSE_MINUTES  # noqa: PLC0415 - loaded already

    title = "RMSE in minutes on held-out trips"
    table = Table(box=None, pad_edge=False, title=title, title_justify="left", header_style="bold")
    for heading in ("candidate", "last 20%", "MAE", "R2", "random 20%", "8 inputs", "course"):
        table.add_column(heading, justify="left" if heading == "candidate" else "right")
    for each in report.contenders:
        course = COURSE_RMSE_MINUTES.get(each.candidate.name)
        scores = (
            each.time.rmse_minutes,
            each.time.mae_minutes,
            each.time.r2,
            each.random.rmse_minutes if each.random else None,
            each.classic.rmse_minutes if each.classic else None,
            course,
        )
        table.add_row(each.candidate.name, *("" if value is None else f"{value:.2f}" for value in scores))
    console.print(table)
    role = report.alias or "no challenger: the previous champion is still being watched"
    learned = f"{report.best.candidate.name}, trained on all {report.trained_from.rows:,} trips"
    console.print(
        f"Version {report.version} ({learned}) is {role}. Its 90% interval held {report.coverage:.0%} of later trips."
    )
    if any(each.classic for each in report.contenders):
        legend = "8 inputs: the course's, on the same random 20%; course: what it published, on another 10,000 trips."
        console.print(legend, style="dim")
