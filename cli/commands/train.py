"""`tripcast train`: train the candidates on the stored trips and register the best."""

import asyncio
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from cli.times import aware

if TYPE_CHECKING:
    from batch.train import TrainingReport

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def train(
    *,
    reason: Annotated[str, typer.Option(help="Why, for the record.")] = "asked for on the command line",
    since: Annotated[datetime | None, typer.Option(help="Only trips with a pickup from this time on (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="Only trips with a pickup before this time (UTC).")] = None,
    no_promote: Annotated[bool, typer.Option("--no-promote", help="Register as challenger, leave the champion.")] = False,
    subject: Annotated[str | None, typer.Option(hidden=True)] = None,
    actor: Annotated[str | None, typer.Option(hidden=True)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Train every candidate, judge all by the trips that started last, register the best and make it champion."""
    from adapters.environment.logs import configure  # noqa: PLC0415 - loads structlog
    from batch import bootstrap, train_bootstrap  # noqa: PLC0415 - loads MLflow, scikit-learn and XGBoost
    from batch.settings import BatchSettings  # noqa: PLC0415 - loads pydantic-settings
    from batch.train import TrainingRequest  # noqa: PLC0415 - loads matplotlib

    settings = BatchSettings.read()
    configure(settings)
    who = actor or bootstrap.operator()
    request = TrainingRequest(who, reason, aware(since), aware(until), promote=not no_promote, subject=subject)
    with Console(stderr=True).status("starting") as status:
        report = asyncio.run(train_bootstrap.train(settings, request, status.update))
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
            each.random.rmse_minutes,
            each.classic.rmse_minutes,
        )
        table.add_row(each.candidate.name, *(f"{value:.2f}" for value in scores), "" if course is None else f"{course:.2f}")
    console.print(table)
    role = "champion" if report.promoted else "challenger"
    learned = f"{report.best.candidate.name}, trained on all {report.trained_from.rows:,} trips"
    console.print(
        f"Version {report.version} ({learned}) is {role}. Its 90% interval held {report.coverage:.0%} of later trips."
    )
    legend = "8 inputs: the course's, on the same random 20%; course: what it published, on another 10,000 trips."
    console.print(legend, style="dim")
