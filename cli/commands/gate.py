"""`tripcast gate`: is the model of this program as good as the recorded one?"""

import json
from collections.abc import Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from domain.errors import InvalidInput, ModelRefused

if TYPE_CHECKING:
    from batch.gate import Verdict

app = typer.Typer(add_completion=False, rich_markup_mode=None)
BASELINE = Path("deploy/model/baseline.json")


@app.command()
def gate(
    *,
    baseline: Annotated[Path, typer.Option(help="The recorded baseline.")] = BASELINE,
    trips: Annotated[
        Path | None, typer.Option(help="Pinned trips of a file; without it a stretch of the simulated city.")
    ] = None,
    zones: Annotated[Path | None, typer.Option(help="Zones table with centroids, for files that give zones.")] = None,
    record: Annotated[bool, typer.Option("--record", help="Write the baseline anew from what is measured now.")] = False,
    reason: Annotated[str, typer.Option(help="Why it is recorded anew, for the record.")] = "",
    markdown: Annotated[Path | None, typer.Option(help="Write the comment for a pull request to this file.")] = None,
    verdict_file: Annotated[Path | None, typer.Option("--verdict", help="Write the verdict as JSON to this file.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdict as JSON.")] = False,
) -> None:
    """Train on pinned trips and compare with the recorded baseline. Exit code 6 when a gate fails.

    Needs no Kafka, PostgreSQL or MLflow.
    """
    from adapters.environment.logs import configure  # noqa: PLC0415 - loads structlog
    from batch import gate_bootstrap as bootstrap  # noqa: PLC0415 - loads scikit-learn, XGBoost and ONNX Runtime
    from batch.gate import markdown_of  # noqa: PLC0415 - the same
    from batch.settings import BatchSettings  # noqa: PLC0415 - loads pydantic-settings
    from cli.sources.pinned_trips import pinned_source  # noqa: PLC0415 - the same
    from domain.model_gate import ModelLimits, Pinned  # noqa: PLC0415 - loads numpy

    if record and not reason:
        raise InvalidInput("--record needs --reason: whoever reviews the new baseline wants to know why")
    settings = BatchSettings.read()
    configure(settings)
    recorded = bootstrap.baseline_at(baseline)
    if recorded is None and not record:
        raise InvalidInput(f"no baseline at {baseline}; `tripcast gate --record --reason ...` makes one")
    pinned, limits = (recorded.pinned, recorded.limits) if recorded else (Pinned(), ModelLimits())
    if record:
        pinned = replace(pinned, file=trips.name if trips else None)
    bootstrap.check_source(pinned, trips)
    with Console(stderr=True).status("starting") as status:
        source = pinned_source(settings, pinned, trips, zones)
        verdict = bootstrap.judge(settings, source, pinned, limits if record or recorded is None else recorded, status.update)
    _write(verdict, markdown_of(verdict, recorded), verdict_file, markdown)
    if as_json:
        Console().print_json(data=_as_dict(verdict))
    else:
        _show(verdict, Console())
    if record:
        bootstrap.record(baseline, verdict, pinned, limits, reason)
        Console(stderr=True).print(f"Recorded in {baseline}; commit it.", highlight=False)
    elif verdict.refusal is not None:
        raise ModelRefused(f"the model gate: {verdict.refusal}")


def _write(verdict: "Verdict", comment: Iterable[str], verdict_file: Path | None, markdown: Path | None) -> None:
    if verdict_file is not None:
        verdict_file.write_text(json.dumps(_as_dict(verdict), indent=2) + "\n")
    if markdown is not None:
        markdown.write_text("\n".join(comment) + "\n")


def _as_dict(verdict: "Verdict") -> dict[str, object]:
    measured = asdict(verdict.measured) if verdict.measured else None
    return {"passed": verdict.refusal is None, "gates": [asdict(gate) for gate in verdict.gates], "measured": measured}


def _show(verdict: "Verdict", console: Console) -> None:
    table = Table("gate", "", "found", box=None, pad_edge=False, header_style="bold")
    for gate in verdict.gates:
        table.add_row(gate.gate, "[green]pass[/]" if gate.passed else "[red]FAIL[/]", gate.reason)
    console.print(table)
