"""`tripcast keys`: shown once, stored as a hash, dead after a revocation."""

import asyncio
import json
from typing import Any

import asyncpg
import pytest
from typer.testing import CliRunner, Result

from adapters.environment.settings import PostgresSettings
from adapters.postgres.api.keys import ValidKeys
from adapters.postgres.connection.line import Line
from api.auth import KeyRing
from api.problems import ApiProblem
from cli.commands.keys import app
from domain.errors import InvalidInput


@pytest.fixture
def tripcast(database: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("TRIPCAST_DATABASE", database)

    def run(*arguments: str) -> Result:
        return CliRunner().invoke(app, list(arguments))

    return run


def ring_of(database: str) -> KeyRing:
    async def read() -> Any:
        keys = ValidKeys(Line(PostgresSettings(database=database), "test", 5.0))
        try:
            return await keys()
        finally:
            keys.close()

    ring = KeyRing(open_to_all=False)
    ring.replace(asyncio.run(read()))
    return ring


def test_a_key_is_shown_once_lets_in_and_is_shut_out(database: str, tripcast: Any) -> None:
    token = tripcast("create", "grafana").stdout.strip()
    boss = json.loads(tripcast("create", "me", "--operator", "--json").stdout)
    listed = json.loads(tripcast("list", "--json").stdout)
    assert [(key["name"], key["operator"], key["revoked_at"]) for key in listed] == [
        ("grafana", False, None),
        ("me", True, None),
    ]
    assert token not in tripcast("list").stdout
    ring = ring_of(database)
    assert ring.caller(token, "/quality").operator is False
    assert ring.caller(boss["key"], "/quality") == ring.caller(boss["key"], "/")
    assert ring.caller(boss["key"], "/quality").operator is True

    assert tripcast("revoke", listed[0]["key_id"]).exit_code == 0
    assert tripcast("revoke", listed[0]["key_id"]).exit_code == 0
    with pytest.raises(ApiProblem, match="not valid"):
        ring_of(database).caller(token, "/quality")
    assert json.loads(tripcast("list", "--json").stdout)[0]["revoked_at"] is not None


def test_only_the_hash_is_stored(database: str, tripcast: Any) -> None:
    token = tripcast("create", "x").stdout.strip()

    async def stored() -> str:
        connection = await asyncpg.connect(database)
        try:
            return str(await connection.fetch("select * from api_keys"))
        finally:
            await connection.close()

    row = asyncio.run(stored())
    assert token.split("_")[1] in row
    assert token.split("_")[2] not in row


def test_a_key_that_is_none_cannot_be_revoked(tripcast: Any) -> None:
    assert isinstance(tripcast("revoke", "ffffffffffff").exception, InvalidInput)
