"""`tripcast audit`: prove that every event is a row, a dead letter or a named skip, and put back from Kafka what is missing."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from domain.entities.audits import AuditReport, PartitionAudit
from domain.entities.repairs import PartitionRepair, Unrepairable
from domain.errors import AuditFailed, InvalidInput

if TYPE_CHECKING:
    from stream.settings import RepairSettings

REASON = "rows were missing; tripcast audit --repair"

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def audit(
    *,
    repair: Annotated[bool, typer.Option("--repair", help="Put back what is missing, from Kafka; workers may run.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="With --repair: do not ask first.")] = False,
    reason: Annotated[str, typer.Option(help="With --repair: why, for the record.")] = REASON,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False,
) -> None:
    """Account for every offset of every partition that was read: rows + dead letters + skipped = next offset - start."""
    from stream import repair_bootstrap  # noqa: PLC0415 - loads aiokafka, asyncpg and ONNX Runtime
    from stream.settings import RepairSettings  # noqa: PLC0415 - loads pydantic-settings

    settings = RepairSettings.read()
    report, silent = asyncio.run(repair_bootstrap.audit(settings))
    if not as_json:
        _show(report, silent)
    done: list[PartitionRepair] = []
    if repair and not report.ok:
        _ask(report, yes=yes, as_json=as_json)
        done, report, silent = _repaired(settings, report, reason, quiet=as_json)
    if as_json:
        typer.echo(json.dumps(_document(report, silent, done if repair else None)))
    _judge(report, [each for one in done for each in one.unrepairable])


def _repaired(
    settings: "RepairSettings", report: AuditReport, reason: str, *, quiet: bool
) -> tuple[list[PartitionRepair], AuditReport, str | None]:
    """Repair and audit in turn, until it adds up or nothing more can be put back; an audit names a bounded number of faults."""
    from stream import repair_bootstrap  # noqa: PLC0415 - loads aiokafka, asyncpg and ONNX Runtime

    every: list[PartitionRepair] = []
    while True:
        done = asyncio.run(repair_bootstrap.repair(settings, report, reason))
        report, silent = asyncio.run(repair_bootstrap.audit(settings))
        every = [*(each for each in every if each.restored.rows), *done]
        if report.ok or not any(each.restored.rows for each in done):
            break
    if not quiet:
        _tell(every)
        _show(report, silent)
    return every, report, silent


def _ask(report: AuditReport, *, yes: bool, as_json: bool) -> None:
    gaps = sum(last - first + 1 for partition in report.partitions for first, last in partition.gaps)
    unpredicted = sum(len(partition.unpredicted_at) for partition in report.partitions)
    if yes:
        return
    if as_json:
        raise InvalidInput("--repair --json asks nothing: add --yes")
    question = f"Read {gaps} records from Kafka again and put back what they became, and {unpredicted} predictions?"
    if not typer.confirm(question):
        raise AuditFailed("nothing was put back")


def _judge(report: AuditReport, unrepairable: Sequence[Unrepairable]) -> None:
    if report.ok:
        return
    wrong = sum(not partition.ok for partition in report.partitions)
    which = {each.why.partition(":")[0] for each in unrepairable}
    left = f"; unrepairable: {', '.join(sorted(which))}" if which else ""
    raise AuditFailed(f"{wrong} of {len(report.partitions)} partitions do not add up{left}")


def _show(report: AuditReport, silent: str | None) -> None:
    console = Console(soft_wrap=True, markup=False, highlight=False)
    console.print(_table(report.partitions))
    for partition in report.partitions:
        for fault in partition.faults():
            console.print(f"{partition.topic}/{partition.partition}: {fault}", style="bold red")
    if silent:
        console.print(f"unread: not known, {silent}", style="yellow")


def _document(report: AuditReport, silent: str | None, done: Sequence[PartitionRepair] | None) -> dict[str, object]:
    partitions = [{**asdict(each), "ok": each.ok, "missing": _missing(each)} for each in report.partitions]
    found: dict[str, object] = {"ok": report.ok, "broker": silent or "answers", "partitions": partitions}
    return found if done is None else {**found, "repairs": [asdict(each) for each in done]}


def _missing(partition: PartitionAudit) -> list[dict[str, object]]:
    """What is not there, by topic, partition and offsets."""
    place = {"topic": partition.topic, "partition": partition.partition}
    gaps = [{**place, "first_offset": first, "last_offset": last, "what": "record"} for first, last in partition.gaps]
    lone = [{**place, "first_offset": at, "last_offset": at, "what": "prediction"} for at in partition.unpredicted_at]
    return [*gaps, *lone]


def _table(partitions: Sequence[PartitionAudit]) -> Table:
    table = Table(
        "topic", "source", "partition", "offsets", "rows", "dead letters", "skipped", "unread", "", box=None, pad_edge=False
    )
    for partition in partitions:
        table.add_row(
            partition.topic,
            str(partition.source_id),
            str(partition.partition),
            f"{partition.start_offset} to {partition.next_offset}",
            str(partition.rows),
            str(partition.dead_letters),
            ", ".join(f"{count} {reason}" for reason, count in partition.skipped.items()),
            "" if partition.unread is None else str(partition.unread),
            "adds up" if partition.ok else "does not add up",
            style=None if partition.ok else "bold red",
        )
    return table


def _tell(done: Sequence[PartitionRepair]) -> None:
    console = Console(soft_wrap=True, markup=False, highlight=False)
    for each in done:
        place, put = f"{each.topic}/{each.partition}", each.restored
        again = put.predictions - put.original
        console.print(
            f"{place}: put back {put.trips} trips, {put.completions} completions, {put.original} predictions as published and "
            f"{again} scored again, {put.dead_letters} dead letters, {put.skipped} skips"
        )
        for one in each.unrepairable:
            console.print(f"{place}: unrepairable {one.first_offset} to {one.last_offset}, {one.why}", style="bold red")
