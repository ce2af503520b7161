"""`tripcast audit`: prove that every event is a row, a dead letter or a named skip."""

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.settings import OperatorSettings
from domain.entities.audits import PartitionAudit
from domain.errors import AuditFailed

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def audit(*, as_json: Annotated[bool, typer.Option("--json", help="One JSON document.")] = False) -> None:
    """Account for every offset of every partition that was read: rows + dead letters + skipped = next offset - start."""
    from cli.bootstrap import audit as account  # noqa: PLC0415 - loads aiokafka and asyncpg

    report = asyncio.run(account(OperatorSettings.read()))
    if as_json:
        partitions = [{**asdict(partition), "ok": partition.ok} for partition in report.partitions]
        typer.echo(json.dumps({"ok": report.ok, "partitions": partitions}))
    else:
        Console().print(_table(report.partitions))
    if not report.ok:
        wrong = sum(not partition.ok for partition in report.partitions)
        raise AuditFailed(f"{wrong} of {len(report.partitions)} partitions do not add up")


def _table(partitions: Sequence[PartitionAudit]) -> Table:
    table = Table("topic", "source", "partition", "offsets", "rows", "dead letters", "skipped", "", box=None, pad_edge=False)
    for partition in partitions:
        table.add_row(
            partition.topic,
            str(partition.source_id),
            str(partition.partition),
            f"{partition.start_offset} to {partition.next_offset}",
            str(partition.rows),
            str(partition.dead_letters),
            ", ".join(f"{count} {reason}" for reason, count in partition.skipped.items()),
            "adds up" if partition.ok else "; ".join(partition.faults()),
            style=None if partition.ok else "bold red",
        )
    return table
