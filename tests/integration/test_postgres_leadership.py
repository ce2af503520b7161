"""One process of many leads, for as long as it is heard of."""

import asyncio

import pytest

from adapters.environment.settings import PostgresSettings
from adapters.postgres.connection import locks
from adapters.postgres.connection.locks import Leadership


@pytest.fixture
def settings(database: str) -> PostgresSettings:
    return PostgresSettings(database=database)


async def test_one_leads_and_another_follows_when_it_ends(settings: PostgresSettings) -> None:
    one, other = Leadership(settings, "loop"), Leadership(settings, "loop")
    assert [await one.ask(), await other.ask(), await one.ask()] == [True, False, True]
    one.end()
    await _other_leads(one, other)


async def test_who_is_silent_for_too_long_leads_no_more(settings: PostgresSettings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "SILENCE_SECONDS", 1)
    one, other = Leadership(settings, "loop"), Leadership(settings, "loop")
    assert await one.ask()
    await _other_leads(one, other)


async def test_where_no_database_answers_nobody_leads() -> None:
    assert not await Leadership(PostgresSettings(database="postgresql://a@127.0.0.1:1/b"), "loop").ask()


async def _other_leads(one: Leadership, other: Leadership) -> None:
    """Soon, and then alone. Ends both."""
    async with asyncio.timeout(10):
        while not await other.ask():
            pass
    assert not await one.ask()
    other.end()
    one.end()
