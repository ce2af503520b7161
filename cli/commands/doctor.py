"""`tripcast doctor`: check every part and say what to do about each failure."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.doctor.findings import Finding, Verdict, examine
from cli.exit_codes import FAILED
from cli.settings import StackSettings, data_folder
from cli.stack.folder import DataFolder

app = typer.Typer(add_completion=False, rich_markup_mode=None)
STYLES = {Verdict.WELL: "green", Verdict.NOTE: "yellow", Verdict.WRONG: "bold red", Verdict.SKIPPED: "dim"}


@app.command()
def doctor(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
    data: Annotated[Path | None, typer.Option(help="Folder of the stack's data (TRIPCAST_DATA, .tripcast).")] = None,
) -> None:
    """Check this machine, the systems and the model. Exit code 0 only if nothing is wrong."""
    from cli.doctor.bootstrap import steps  # noqa: PLC0415 - loads aiokafka, asyncpg and ONNX Runtime

    folder = DataFolder(data_folder(data).absolute())
    findings = list(examine(steps(StackSettings.read(data=folder.path), folder)))
    ok = all(finding.verdict in (Verdict.WELL, Verdict.NOTE) for finding in findings)
    if as_json:
        typer.echo(json.dumps({"ok": ok, "checks": [asdict(finding) for finding in findings]}))
    else:
        Console().print(_table(findings))
    if not ok:
        raise typer.Exit(FAILED)


def _table(findings: Sequence[Finding]) -> Table:
    table = Table("check", "", "found", "what to do", box=None, pad_edge=False)
    for finding in findings:
        table.add_row(finding.check, finding.verdict.value, finding.found, finding.advice, style=STYLES[finding.verdict])
    return table
