"""`tripcast keys`: who may ask the API."""

import asyncio
import json
from datetime import datetime
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.settings import OperatorSettings
from domain.entities.api_keys import StoredKey, new_key

app = typer.Typer(no_args_is_help=True, add_completion=False, rich_markup_mode=None)
Json = Annotated[bool, typer.Option("--json", help="One JSON document.")]


@app.callback()
def keys() -> None:
    """Create, list and revoke keys of the API. Only their hashes are stored."""


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Whose it is, for the list.")],
    *,
    operator: Annotated[bool, typer.Option("--operator", help="May also reload models and replay dead letters.")] = False,
    as_json: Json = False,
) -> None:
    """Make a key and show it, once."""
    from cli.bootstrap import api_keys  # noqa: PLC0415 - loads asyncpg

    key = new_key()

    async def add() -> None:
        async with api_keys(OperatorSettings.read()) as stored:
            await stored.add(key, name, operator=operator)

    asyncio.run(add())
    if as_json:
        typer.echo(json.dumps({"key_id": key.key_id, "name": name, "operator": operator, "key": key.token}))
        return
    typer.echo(key.token)
    Console(stderr=True).print("It is shown only now. Send it as `Authorization: Bearer ...` or as `X-API-Key`.", markup=False)


@app.command(name="list")
def list_(*, as_json: Json = False) -> None:
    """Every key, revoked ones too; never the keys themselves."""
    from cli.bootstrap import api_keys  # noqa: PLC0415 - loads asyncpg

    async def read() -> list[StoredKey]:
        async with api_keys(OperatorSettings.read()) as stored:
            return list(await stored.all())

    found = asyncio.run(read())
    if as_json:
        typer.echo(json.dumps([_as_dict(key) for key in found]))
    else:
        Console().print(_table(found))


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="The key's id, the part between the underscores.")]) -> None:
    """Make a key invalid; running APIs know within 5 s."""
    from cli.bootstrap import api_keys  # noqa: PLC0415 - loads asyncpg

    async def end() -> None:
        async with api_keys(OperatorSettings.read()) as stored:
            await stored.revoke(key_id)

    asyncio.run(end())
    Console().print(f"Key {key_id} is revoked.")


def _as_dict(key: StoredKey) -> dict[str, object]:
    times = {"created_at": key.created_at.isoformat(), "revoked_at": key.revoked_at.isoformat() if key.revoked_at else None}
    return {"key_id": key.key_id, "name": key.name, "operator": key.operator, **times}


def _table(keys: list[StoredKey]) -> Table:
    table = Table("key", "name", "may", "created", "revoked", box=None, pad_edge=False)
    for key in keys:
        may = "operate" if key.operator else "ask"
        table.add_row(key.key_id, key.name, may, _when(key.created_at), _when(key.revoked_at))
    return table


def _when(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else ""
