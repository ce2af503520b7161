"""A question to a database that has fallen silent is not waited for; one that is merely slow is."""

import asyncio
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import APIRouter, FastAPI

from api.checks import Checks
from api.reads import bounded as module
from api.reads.bounded import FRESH_SECONDS, MOST_LEFT_BEHIND, Bounded, bounded_route
from domain.errors import DatabaseUnreachable


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(module, "LOOK_SECONDS", 0.01)


async def test_a_slow_answer_is_waited_for_while_the_database_is_there() -> None:
    checks, slow = Checks(), asyncio.Event()
    checks.note("database", ok=True)

    async def work() -> str:
        await slow.wait()
        return "found"

    asking = asyncio.create_task(Bounded(checks)(work()))
    await asyncio.sleep(0.05)  # far longer than the patience
    slow.set()
    assert await asking == "found"


async def test_a_silent_database_is_not_waited_for_and_the_question_is_not_called_off() -> None:
    checks, ended, done = Checks(), asyncio.Event(), asyncio.Event()
    checks.note("database", ok=False, detail="no answer within the deadline")

    async def work() -> None:
        await ended.wait()
        done.set()

    with pytest.raises(DatabaseUnreachable, match="no answer within the deadline"):
        await Bounded(checks)(work())
    ended.set()
    await done.wait()


async def test_news_of_the_database_that_is_old_is_none() -> None:
    moment = datetime(2016, 3, 1, tzinfo=UTC)
    checks = Checks(now=lambda: moment)
    checks.note("database", ok=True)
    checks.now = lambda: moment + timedelta(seconds=FRESH_SECONDS)
    with pytest.raises(DatabaseUnreachable, match="no answer within the deadline"):
        await Bounded(checks)(asyncio.sleep(60))


async def test_what_is_answered_at_once_is_told_though_the_database_is_away() -> None:
    async def kept() -> str:
        return "what was read before"

    assert await Bounded(Checks())(kept()) == "what was read before"


async def test_questions_left_behind_are_counted() -> None:
    bounded, ended = Bounded(Checks()), asyncio.Event()

    async def work() -> None:
        await ended.wait()

    async def asked() -> None:
        with pytest.raises(DatabaseUnreachable):
            await bounded(work())

    await asyncio.gather(*(asked() for _ in range(MOST_LEFT_BEHIND)))

    async def never() -> None:
        raise AssertionError("one too many was asked")

    with pytest.raises(DatabaseUnreachable):
        await bounded(never())
    ended.set()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    with pytest.raises(AssertionError, match="one too many"):
        await bounded(never())


async def test_a_route_that_only_reads_is_bounded_and_one_that_writes_is_not() -> None:
    checks, app, slow = Checks(), FastAPI(), asyncio.Event()
    checks.note("database", ok=False, detail="no answer within the deadline")
    router = APIRouter(route_class=bounded_route(Bounded(checks)))

    @router.get("/")
    @router.post("/")
    async def asked() -> str:
        await slow.wait()
        return "done"

    app.include_router(router)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://api") as client:
        writing = asyncio.create_task(client.post("/"))
        with pytest.raises(DatabaseUnreachable):
            await client.get("/")
        await asyncio.sleep(0.05)  # far longer than the patience
        slow.set()
        assert (await writing).json() == "done"
