"""`tripcast history`: who was champion at any time, and what led there."""

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.times import aware
from domain.entities.models import LifecycleEvent
from domain.entities.story import AskedFor, Story, Verdict

PIPED_WIDTH = 180  # columns where there is no terminal: a reason is a sentence

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command()
def history(
    *,
    at: Annotated[datetime | None, typer.Option(help="As things stood at this time (UTC); default: now.")] = None,
    subject: Annotated[str | None, typer.Option(help="Only one subject, such as 'episode 3' or 'version 2'.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Show so many events at most, the newest.")] = 50,
    as_json: Annotated[bool, typer.Option("--json", help="Print everything as JSON, with all numbers.")] = False,
) -> None:
    """Who was champion and why: episodes of drift, requests and their answers, refusals, promotions, rollbacks.

    Times are those of the clock on the wall, at which things were done.
    """
    from cli.bootstrap import history as ask  # noqa: PLC0415 - loads asyncpg
    from cli.settings import OperatorSettings  # noqa: PLC0415 - loads pydantic-settings

    story = asyncio.run(ask(OperatorSettings.read(), aware(at) or datetime.now(UTC), subject, limit))
    if as_json:
        Console().print_json(data=asdict(story), default=datetime.isoformat)
    else:
        console = Console()
        _show(story, console if console.is_terminal else Console(width=PIPED_WIDTH))


def _show(story: Story, console: Console) -> None:
    console.print(champion_in_words(story))
    if story.events:
        console.print(_events(story.events))
    if story.requests:
        console.print(_requests(story.requests))
    if refused := [verdict for verdict in story.verdicts if not verdict.passed]:
        console.print(_refusals(refused))


def champion_in_words(story: Story) -> str:
    """One line."""
    event = story.champion
    if event is None:
        return f"At {_time(story.at)} UTC no version was champion."
    instead = f" instead of version {event.details['replaced']}" if event.details.get("replaced") else ""
    how = "became champion again" if event.kind == "model.rolled_back" else "became champion"
    asked = f" for {event.details['request']}" if event.details.get("request") else ""
    return (
        f"At {_time(story.at)} UTC version {event.details['version']} was champion. "
        f"It {how}{instead} at {_time(event.at)} by {event.actor}{asked}: {event.reason}"
    )


def _events(events: tuple[LifecycleEvent, ...]) -> Table:
    table = _table("What happened", "when, UTC", "what", "about", "by", "why")
    for event in events:
        why = event.details.get("why") or event.reason
        table.add_row(_time(event.at), event.kind, event.subject, event.actor, str(why))
    return table


def _requests(requests: tuple[AskedFor, ...]) -> Table:
    table = _table("What was asked for", "when, UTC", "what", "about", "outcome", "version", "answer")
    for each in requests:
        outcome, version = each.outcome or "open", "" if each.version is None else str(each.version)
        table.add_row(_time(each.requested_at), each.kind, each.subject, outcome, version, each.answer or each.reason)
    return table


def _refusals(verdicts: list[Verdict]) -> Table:
    table = _table("What gates refused", "when, UTC", "about", "version", "gate", "why")
    for each in verdicts:
        version = "" if each.model_version is None else str(each.model_version)
        table.add_row(_time(each.at), each.subject, version, each.gate, each.reason)
    return table


def _table(title: str, *headings: str) -> Table:
    """Only the last column, the reason, is folded."""
    table = Table(box=None, pad_edge=False, title=f"\n{title}", title_justify="left", title_style="bold")
    for heading in headings[:-1]:
        table.add_column(heading, no_wrap=True)
    table.add_column(headings[-1], overflow="fold")
    return table


def _time(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M:%S}"
