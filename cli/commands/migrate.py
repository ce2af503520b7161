"""`tripcast migrate`: create or upgrade the database schema and the topics."""

import asyncio

import typer
from rich.console import Console

from cli.settings import OperatorSettings

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def migrate() -> None:
    """Create or upgrade the tables and the topics. Safe to run again, and from several places at once."""
    from cli.bootstrap import create_topics, migrate_database  # noqa: PLC0415 - loads aiokafka and asyncpg

    settings, console = OperatorSettings.read(), Console(highlight=False)
    console.print(f"database: schema {migrate_database(settings)}")
    created = asyncio.run(create_topics(settings))
    console.print(f"topics: {'created ' + ', '.join(created) if created else 'all there'}", soft_wrap=True)
