"""`tripcast candidates`: list what trainings try, and check a model of one's own."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

    from batch.check_candidate import CandidateCheck

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]


@app.callback()
def candidates() -> None:
    """The models that compete in a training: tripcast's own, those of installed packages, and files of yours."""


@app.command("list")
def list_candidates(*, as_json: AsJson = False) -> None:
    """All that TRIPCAST_TRAIN_CANDIDATES may name, and where each comes from; files of yours are named by their path."""
    from batch import catalogue  # noqa: PLC0415 - loads scikit-learn and XGBoost

    ours = [{"name": each.name, "source": "tripcast"} for each in catalogue.discover()]
    theirs = [{"name": each.name, "source": f"{each.value} ({_package(each)})"} for each in catalogue.installed()]
    if as_json:
        Console().print_json(data=ours + theirs)
        return
    table = Table("name", "source", box=None, pad_edge=False)
    for row in ours + theirs:
        table.add_row(row["name"], row["source"])
    Console().print(table)


@app.command()
def check(
    candidate: Annotated[str, typer.Argument(help="A file my_model.py, a module package.module, or a name of the list.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Train it on some thousand simulated trips and say what is wrong with it. Needs no Kafka, PostgreSQL or MLflow."""
    from batch.check_bootstrap import check as checked  # noqa: PLC0415 - loads scikit-learn and XGBoost
    from batch.settings import BatchSettings  # noqa: PLC0415 - loads pydantic-settings

    console = Console(highlight=False, soft_wrap=True)
    found = checked(BatchSettings.read(), candidate, lambda said: None if as_json else console.print(f"ok  {said}"))
    if as_json:
        console.print_json(data=asdict(found))
        return
    console.print(f"{found.name}: {_figures(found)}")


def _figures(found: "CandidateCheck") -> str:
    scores = f"RMSE {found.scores.rmse_minutes:.2f} min, R2 {found.scores.r2:.2f} on the newest fifth of {found.trips:,} trips"
    cost = f"fits in {found.fit_seconds:.1f} s, scores a trip in {found.microseconds:.1f} us, {found.kilobytes:,.0f} kB"
    return f"{scores}; {cost}"


def _package(entry: "EntryPoint") -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "no package"
