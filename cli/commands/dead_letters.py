"""`tripcast dead-letters`: list, show and replay refused events."""

import asyncio
import json
from collections.abc import Sequence
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from cli.settings import OperatorSettings
from domain.entities.files import LoadedRow
from domain.entities.rejections import Reason, StoredDeadLetter
from domain.errors import InvalidInput

app = typer.Typer(add_completion=False, no_args_is_help=True, rich_markup_mode=None)
AsJson = Annotated[bool, typer.Option("--json", help="One JSON document.")]
REASONS = {str(reason): reason for reason in Reason}
OfReason = Annotated[str | None, typer.Option("--reason", help="Only those refused for this reason.")]


@app.callback()
def dead_letters() -> None:
    """Refused events: what they are, why they were refused, and publishing them again once the cause is gone."""


@app.command("list")
def list_newest(
    *, reason: OfReason = None, limit: Annotated[int, typer.Option(help="How many at most.")] = 50, as_json: AsJson = False
) -> None:
    """The newest dead letters, and how many there are of each reason."""
    counts, newest = asyncio.run(_newest(_reason(reason), limit))
    if as_json:
        typer.echo(json.dumps({"counts": counts, "dead_letters": [_as_dict(stored) for stored in newest]}))
        return
    console = Console()
    console.print(_table(newest))
    for name, count in counts.items():
        console.print(f"{count} {name}: {REASONS[name].description}", highlight=False)


@app.command()
def rows(
    *, reason: OfReason = None, limit: Annotated[int, typer.Option(help="How many at most.")] = 50, as_json: AsJson = False
) -> None:
    """Refused rows of trip files that were loaded, the newest file first, with their cells as they stand there."""
    found = asyncio.run(_rows(_reason(reason), limit))
    if as_json:
        typer.echo(json.dumps([{"file": each.file, **each.refused._asdict()} for each in found]))
        return
    table = Table("file", "row", "reason", "cells", box=None, pad_edge=False)
    for file, refused in found:
        cells = ", ".join(f"{name}={value}" for name, value in refused.row.items())
        table.add_row(*map(escape, (file, str(refused.number), refused.reason, cells)))
    Console().print(table)


@app.command()
def show(dead_letter_id: Annotated[int, typer.Argument(help="Its id in the list.")], *, as_json: AsJson = False) -> None:
    """One dead letter in full: the original bytes, the headers, and where it came from."""
    stored = asyncio.run(_get(dead_letter_id))
    if as_json:
        typer.echo(json.dumps(_as_dict(stored)))
        return
    console = Console(soft_wrap=True, highlight=False, markup=False)
    for name, value in _as_dict(stored).items():
        console.print(f"{name}: {value}")


@app.command()
def replay(
    ids: Annotated[list[int] | None, typer.Argument(help="Ids of dead letters.")] = None,
    *,
    reason: OfReason = None,
    every: Annotated[bool, typer.Option("--all", help="All that were not replayed yet.")] = False,
    again: Annotated[bool, typer.Option("--again", help="Also those that were replayed already.")] = False,
    as_json: AsJson = False,
) -> None:
    """Publish dead letters to trip-events again, byte for byte. Each is replayed once, unless --again is given."""
    if bool(ids) + bool(reason) + every != 1:
        raise InvalidInput("say what to replay: ids, or --reason REASON, or --all")
    replayed, skipped = asyncio.run(_replay(ids or None, _reason(reason), again=again))
    if as_json:
        typer.echo(json.dumps({"replayed": replayed, "already_replayed": skipped}))
    else:
        Console().print(f"{replayed} replayed, {skipped} had been replayed before", highlight=False)


async def _newest(reason: Reason | None, limit: int) -> tuple[dict[str, int], list[StoredDeadLetter]]:
    from cli.bootstrap import dead_letters as opened  # noqa: PLC0415 - loads aiokafka and asyncpg

    async with opened(OperatorSettings.read()) as letters:
        return await letters.counts(), await letters.newest(reason, limit)


async def _rows(reason: Reason | None, limit: int) -> list[LoadedRow]:
    from cli.bootstrap import refused_rows  # noqa: PLC0415 - loads aiokafka and asyncpg

    return await refused_rows(OperatorSettings.read(), reason, limit)


async def _get(dead_letter_id: int) -> StoredDeadLetter:
    from cli.bootstrap import dead_letters as opened  # noqa: PLC0415 - loads aiokafka and asyncpg

    async with opened(OperatorSettings.read()) as letters:
        return await letters.get(dead_letter_id)


async def _replay(ids: Sequence[int] | None, reason: Reason | None, *, again: bool) -> tuple[int, int]:
    """How many were replayed, and how many of those asked for had been before. Raises InvalidInput for an unknown id."""
    from cli.bootstrap import dead_letters as opened  # noqa: PLC0415 - loads aiokafka and asyncpg
    from cli.bootstrap import republishing  # noqa: PLC0415

    settings = OperatorSettings.read()
    async with opened(settings) as letters, republishing(settings) as publish:
        for dead_letter_id in ids or ():
            await letters.get(dead_letter_id)
        wanted = await letters.choose(ids, reason, again=True)
        replayed = [await letters.replay(dead_letter_id, publish, again=again) for dead_letter_id in wanted]
    return sum(replayed), len(replayed) - sum(replayed)


def _reason(name: str | None) -> Reason | None:
    if name is None or name in REASONS:
        return REASONS[name] if name else None
    raise InvalidInput(f"{name} is no reason; the reasons are {', '.join(REASONS)}")


def _table(letters: Sequence[StoredDeadLetter]) -> Table:
    table = Table("id", "reason", "origin", "record time", "replayed", "detail", box=None, pad_edge=False)
    for stored in letters:
        replayed = f"{stored.replayed_at:%Y-%m-%d %H:%M:%S}" if stored.replayed_at else ""
        time = f"{stored.letter.timestamp:%Y-%m-%d %H:%M:%S}"
        row = (str(stored.dead_letter_id), stored.letter.reason, stored.origin, time, replayed, stored.letter.detail)
        table.add_row(*map(escape, row))
    return table


def _as_dict(stored: StoredDeadLetter) -> dict[str, object]:
    letter = stored.letter
    return {
        "id": stored.dead_letter_id,
        "reason": letter.reason,
        "meaning": letter.reason.description,
        "detail": letter.detail,
        "origin": stored.origin,
        "record_at": letter.timestamp.isoformat(),
        "recorded_at": stored.recorded_at.isoformat(),
        "replayed_at": stored.replayed_at.isoformat() if stored.replayed_at else None,
        "key": _readable(letter.key),
        "value": _readable(letter.value),
        "headers": [[name, _readable(value)] for name, value in letter.headers],
    }


def _readable(content: bytes | None) -> str | None:
    """Text as it is, with the bytes that are not UTF-8 as hexadecimal escapes."""
    return None if content is None else content.decode(errors="backslashreplace")
