"""`tripcast backtest`: live through trip files with the closed loop, and with what it is to be compared with."""

import json
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table

from cli.times import aware
from domain.errors import InvalidInput

if TYPE_CHECKING:
    from batch.backtest_bootstrap import Outcome, Report

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def backtest(
    files: Annotated[
        list[Path], typer.Argument(help="Trips, in any order: the 2016 CSV layout, or TLC monthly parquet files.")
    ],
    *,
    policy: Annotated[Path | None, typer.Option(help="A policy, TOML; else TRIPCAST_POLICY, or the default.")] = None,
    compare: Annotated[str, typer.Option(help="Courses: static, nightly, drift.")] = "static,drift",
    zones: Annotated[Path | None, typer.Option(help="Zones table with centroids, for files that give zones.")] = None,
    train_until: Annotated[
        datetime | None, typer.Option(help="The first model learns from pickups before this time (UTC); else from two months.")
    ] = None,
    until: Annotated[datetime | None, typer.Option(help="Stop at this time (UTC).")] = None,
    nightly_days: Annotated[str, typer.Option(help="Days that a nightly training looks back, one course each.")] = "120",
    nightly_from: Annotated[datetime | None, typer.Option(help="Train nightly from this time on (UTC).")] = None,
    candidates: Annotated[
        str | None,
        typer.Option(help="What trainings try, else as TRIPCAST_TRAIN_CANDIDATES says; xgboost-quick is the fastest."),
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="Write the picture to this PNG.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON.")] = False,
) -> None:
    """Live through trip files in event time, with the service's own policy, gates, detectors and training."""
    from adapters.environment.logs import configure  # noqa: PLC0415 - loads structlog
    from batch import backtest_bootstrap as bootstrap  # noqa: PLC0415 - loads scikit-learn, XGBoost and ONNX Runtime
    from batch.backtest_plot import draw  # noqa: PLC0415 - loads matplotlib
    from batch.backtest_report import as_dict  # noqa: PLC0415 - loads numpy
    from batch.settings import BatchSettings  # noqa: PLC0415 - loads pydantic-settings

    settings = BatchSettings.read()
    configure(settings)
    options = bootstrap.BacktestOptions(
        files=files,
        zones=zones,
        policy=policy,
        compare=_names(compare, bootstrap.COURSES),
        nightly_days=_days(nightly_days),
        nightly_from=aware(nightly_from),
        train_until=aware(train_until),
        until=aware(until),
        candidates=candidates,
    )
    with _bar() as bar:
        outcome = bootstrap.run(settings, options, _reporting(bar))
    if plot is not None:
        draw(outcome.stage, outcome.courses, plot)
    if as_json:
        typer.echo(json.dumps(as_dict(outcome.stage, outcome.courses), indent=2))
    else:
        _show(outcome, Console())


def _names(text: str, known: tuple[str, ...]) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in known]:
        raise InvalidInput(f"--compare {text}: {unknown[0]!r} is none of {', '.join(known)}")
    return names


def _days(text: str) -> list[int]:
    try:
        days = [int(each) for each in text.split(",")]
    except ValueError as error:
        raise InvalidInput(f"--nightly-days {text}: not numbers of days") from error
    if min(days) < 1:
        raise InvalidInput(f"--nightly-days {text}: a night looks back one day at least")
    return days


def _bar() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
    return Progress(*columns, console=Console(stderr=True), transient=True)


def _reporting(bar: Progress) -> "Report":
    tasks: dict[str, int] = {}

    def report(what: str, share: float) -> None:
        if what not in tasks:
            for task in tasks.values():
                bar.update(task, completed=1.0)  # type: ignore[arg-type]
            tasks[what] = bar.add_task(what, total=1.0)
        bar.update(tasks[what], completed=share)  # type: ignore[arg-type]

    return report


def _show(outcome: "Outcome", console: Console) -> None:
    from batch.backtest_report import QUIET, errors_by, times_of  # noqa: PLC0415 - loaded already

    table = Table(
        box=None, pad_edge=False, header_style="bold", title="RMSE (bias) in minutes, and trainings", title_justify="left"
    )
    table.add_column("month")
    by_month = {course.name: errors_by(outcome.stage, course) for course in outcome.courses}
    for name in by_month:
        table.add_column(name, justify="right")
    for month in sorted({month for months in by_month.values() for month in months}):
        found = (months.get(month) for months in by_month.values())
        cells = (f"{each.rmse:.2f} ({each.bias:+.2f}) {each.trainings:3d}" if each else "" for each in found)
        table.add_row(month, *cells)
    console.print(table)
    for course in outcome.courses:
        for event in course.events:
            if event.kind not in QUIET:
                at = times_of([event.minute])[0].astype("datetime64[m]")
                console.print(f"{at} {event.kind} {event.subject}: {event.reason}", highlight=False, soft_wrap=True)
