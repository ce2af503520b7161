"""`tripcast prepare`: make the servers of a deployment ready."""

import asyncio
import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from cli.prepare.settings import PrepareSettings

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def prepare(
    *,
    no_topics: Annotated[bool, typer.Option("--no-topics", help="Leave Kafka alone: there is none yet.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Progress on standard error, one JSON document on standard output.")
    ] = False,
) -> None:
    """Wait for PostgreSQL and Kafka, then create what lacks: logins, databases, tables, topics, API keys.

    Safe to run again, and from several places at once. Logins and databases are created with TRIPCAST_ADMIN_DATABASE alone.
    """
    from cli.prepare.bootstrap import Step, prepare  # noqa: PLC0415 - loads aiokafka and asyncpg

    done: list[Step] = []
    console = Console(stderr=as_json, highlight=False, soft_wrap=True)

    def tell(step: Step) -> None:
        done.append(step)
        console.print(f"{step.what} {step.name}: {step.state}", markup=False)

    asyncio.run(prepare(PrepareSettings.read(), tell, topics=not no_topics))
    if as_json:
        typer.echo(json.dumps({"ok": True, "steps": [asdict(step) for step in done]}))
