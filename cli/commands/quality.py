"""`tripcast quality`: how wrong the predictions turned out, mature cohorts apart from immature ones."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.times import aware
from domain.entities.cohorts import By, Cohort, Counts, QualityReport

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def quality(
    *,
    by: Annotated[By, typer.Option(help="How trips are divided; hours are the city's.")] = By.CITY,
    since: Annotated[datetime | None, typer.Option(help="Only trips with a pickup from this time on (UTC).")] = None,
    until: Annotated[datetime | None, typer.Option(help="Only trips with a pickup before this time (UTC).")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Errors of predicted durations, predicted minus actual, over trips old enough that nearly all of them have ended.

    Younger trips are told apart and marked immature: those of them that have ended are the short ones.
    """
    from cli.bootstrap import quality as ask  # noqa: PLC0415 - loads aiokafka and asyncpg
    from cli.settings import QualitySettings  # noqa: PLC0415 - loads pydantic-settings

    report = asyncio.run(ask(QualitySettings.read(), by, aware(since), aware(until)))
    if as_json:
        Console().print_json(data=asdict(report), default=datetime.isoformat)
    else:
        _show(report, Console())


def _show(report: QualityReport, console: Console) -> None:
    if report.mature or report.immature:
        console.print(_table(report))
    if report.mature_until is None:
        console.print("No cohort is mature yet.")
    else:
        console.print(f"Mature are pickups before {report.mature_until:%Y-%m-%d %H:%M} UTC, event time.")
    console.print(_words(report.counts))


def _table(report: QualityReport) -> Table:
    columns = ("", "trips", "ended", "MAE min", "RMSE min", "bias min", "log ratio", "in interval", "")
    table = Table(*columns, box=None, pad_edge=False)
    for cohort in _in_order(report):
        table.add_row(
            cohort.segment if cohort.role == "champion" else f"{cohort.segment}, shadow",
            f"{cohort.started:,}",
            f"{cohort.coverage:.0%}",
            *map(_figure, (cohort.mae_minutes, cohort.rmse_minutes, cohort.bias_minutes, cohort.log_ratio)),
            "" if cohort.interval_coverage is None else f"{cohort.interval_coverage:.0%}",
            "" if cohort.mature else "immature",
            style=None if cohort.mature else "dim",
        )
    return table


def _in_order(report: QualityReport) -> Sequence[Cohort]:
    return (*report.mature, *report.immature)


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _words(counts: Counts) -> str:
    return (
        f"{counts.started:,} trips were predicted: {counts.settled:,} have ended, {counts.pending:,} have not, "
        f"{counts.expired:,} were given up ({counts.late:,} of them have ended after all)."
    )
