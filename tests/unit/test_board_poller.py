"""One poller for all browsers of a board."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dashboard.client import ApiError, ApiRefused, ApiUnreachable
from dashboard.poller import FORGET_SECONDS, UNREACHABLE_SECONDS, Key, Poller
from schemas.http.snapshot import Snapshot
from tests.fakes.api_snapshot import City

KEY = Key("15m", None)


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Api:
    """Answers with what the test says; `asked` holds the parameters of each question."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.answer: Snapshot | ApiError | None = City(clock=lambda: 1_795_430_000.0).snapshot("boot", "15m", None)

    async def newer(self, path: str, kind: type, params: dict[str, Any]) -> Snapshot | None:
        assert (path, kind) == ("/snapshot", Snapshot)
        self.asked.append(params)
        if isinstance(self.answer, ApiError):
            raise self.answer
        return self.answer


@asynccontextmanager
async def polling(api: Api, clock: Clock) -> AsyncIterator[Poller]:
    poller = Poller(api, clock=clock)  # type: ignore[arg-type]
    task = asyncio.create_task(poller.run())
    try:
        yield poller
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def round_of(poller: Poller, clock: Clock, key: Key = KEY) -> Any:
    """Let the poller ask once more, and look."""
    asked = poller.asked
    poller._wanted.set()  # its second is over
    while poller.asked == asked:  # noqa: ASYNC110 - a counter, not an event
        await asyncio.sleep(0)
    await asyncio.sleep(0)
    return await poller.latest(key)


async def test_many_browsers_of_one_view_are_one_question() -> None:
    api, clock = Api(), Clock()
    async with polling(api, clock) as poller:
        seen = await asyncio.gather(*(poller.latest(KEY) for _ in range(20)))
    assert len(api.asked) == 1
    assert {each.snapshot.seq for each in seen if each.snapshot} == {1_795_430_000}


async def test_the_next_question_names_what_is_known() -> None:
    api, clock = Api(), Clock()
    async with polling(api, clock) as poller:
        await poller.latest(KEY)
        await round_of(poller, clock)
    assert "after" not in api.asked[0]
    assert (api.asked[1]["after"], api.asked[1]["boot"]) == (1_795_430_000, "boot")


async def test_a_snapshot_that_is_not_renewed_ages() -> None:
    api, clock = Api(), Clock()
    async with polling(api, clock) as poller:
        await poller.latest(KEY)
        api.answer = None
        clock.now += 5
        seen = await round_of(poller, clock)
    assert seen.snapshot is not None
    assert seen.age_seconds == 5
    assert not seen.unreachable


async def test_an_api_that_is_silent_is_unreachable_and_the_snapshot_stays() -> None:
    api, clock = Api(), Clock()
    async with polling(api, clock) as poller:
        await poller.latest(KEY)
        api.answer = ApiUnreachable("The API cannot be reached", "No answer.")
        clock.now += UNREACHABLE_SECONDS + 0.1
        seen = await round_of(poller, clock)
    assert seen.unreachable
    assert seen.snapshot is not None
    assert seen.problem == "No answer."
    assert not seen.refused


async def test_an_api_that_answers_again_is_reachable_at_once() -> None:
    api, clock = Api(), Clock()
    answer, api.answer = api.answer, ApiRefused("No", "It does not want to.")
    async with polling(api, clock) as poller:
        first = await poller.latest(KEY)
        clock.now += 5
        api.answer = answer
        seen = await round_of(poller, clock)
    assert (first.snapshot, first.refused) == (None, True)
    assert (seen.unreachable, seen.problem) == (False, None)


async def test_a_view_that_nobody_looks_at_is_no_longer_asked_for() -> None:
    api, clock = Api(), Clock()
    other = Key("24h", 65)
    async with polling(api, clock) as poller:
        await poller.latest(KEY)
        clock.now += FORGET_SECONDS + 2
        await poller.latest(other)
        assert poller.views == 1
    assert api.asked[-1]["area"] == 65
