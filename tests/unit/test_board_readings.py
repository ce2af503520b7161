import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from dash import Dash

from dashboard import asks, part
from dashboard.client import ApiUnreachable, Client
from dashboard.page import Context, Page
from dashboard.pages import PAGES
from dashboard.poller import Poller, Seen
from dashboard.readings import AGAIN_SECONDS, Ask, Readings
from dashboard.settings import BoardSettings
from dashboard.view import View
from schemas.http.models import Models
from tests.fakes import api_documents as documents
from tests.fakes.api import StandInApi, serving
from tests.unit.board_reading import texts

ASK = Ask("/models", Models, 10.0)
NOT_SEEN = Seen(snapshot=None, age_seconds=0.0, silent_seconds=0.0, problem=None)
OTHERS = [page for page in PAGES if page.name not in {"live", "drift"}]


class Silent:
    """A client that answers when it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.may = asyncio.Event()
        self.away = False

    async def get(self, _path: str, _kind: Any, _params: Any = None) -> Models:
        self.asked += 1
        await self.may.wait()
        if self.away:
            raise ApiUnreachable("The API cannot be reached", "No answer.")
        return documents.models()


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def readings(client: Silent, clock: Clock) -> Readings:
    return Readings(client, clock=clock, now=lambda: datetime(2026, 3, 2, tzinfo=UTC))  # type: ignore[arg-type]


async def test_twenty_who_ask_at_once_cost_one_request():
    client = Silent()
    ours = readings(client, Clock())
    asking = [asyncio.create_task(ours.get(ASK, wait_seconds=5)) for _ in range(20)]
    await asyncio.sleep(0)
    client.may.set()
    answers = await asyncio.gather(*asking)
    assert client.asked == 1
    assert all(answer.data is not None and answer.version == 1 for answer in answers)


async def test_a_request_that_takes_long_is_not_joined_by_another():
    client, clock = Silent(), Clock()
    ours = readings(client, clock)
    await ours.get(ASK, wait_seconds=0)
    clock.now = 1000.0
    await ours.get(ASK, wait_seconds=0)
    assert client.asked == 1
    client.may.set()


async def test_an_answer_that_is_young_enough_is_not_asked_for_again():
    client, clock = Silent(), Clock()
    client.may.set()
    ours = readings(client, clock)
    await ours.get(ASK)
    clock.now = 9.9
    await ours.get(ASK)
    assert client.asked == 1


async def test_an_old_answer_is_given_at_once_and_renewed_behind():
    client, clock = Silent(), Clock()
    client.may.set()
    ours = readings(client, clock)
    await ours.get(ASK)
    client.may.clear()
    clock.now = 10.0
    kept = await ours.get(ASK, wait_seconds=60)
    assert (kept.version, client.asked) == (1, 1)  # a task has been made; nobody waited for it
    await asyncio.sleep(0)
    assert client.asked == 2
    client.may.set()


async def test_what_was_read_stays_while_the_api_is_away_and_says_why():
    client, clock = Silent(), Clock()
    client.may.set()
    ours = readings(client, clock)
    before = await ours.get(ASK)
    client.away, clock.now = True, 100.0
    after = await ours.get(ASK)
    assert after.data == before.data
    assert after.as_of == before.as_of
    assert after.trouble == "The API cannot be reached. No answer."
    assert after.version == before.version + 1


async def test_after_a_failure_it_is_asked_again_soon_however_slowly_it_changes():
    client, clock = Silent(), Clock()
    client.may.set()
    client.away = True
    ours = readings(client, clock)
    assert (await ours.get(ASK)).data is None
    client.away, clock.now = False, AGAIN_SECONDS
    ours_again = await ours.get(ASK, wait_seconds=5)
    await asyncio.sleep(0)
    found = await ours.get(ASK)
    assert client.asked == 2
    assert found.data is not None
    assert found.trouble is None
    assert ours_again.version <= found.version


async def test_the_same_answer_again_is_no_news():
    client, clock = Silent(), Clock()
    client.may.set()
    ours = readings(client, clock)
    first = await ours.get(ASK)
    clock.now = 100.0
    assert (await ours.get(ASK)).version == first.version


async def test_what_was_changed_by_hand_is_asked_anew():
    client = Silent()
    client.may.set()
    ours = readings(client, Clock())
    await ours.get(ASK)
    ours.forget("/models")
    await ours.get(ASK)
    assert client.asked == 2


@pytest.fixture(scope="module")
def api() -> Any:
    ours = StandInApi()
    with serving(ours) as address:
        yield ours, address


@pytest.fixture
async def context(api: tuple[StandInApi, str]) -> AsyncIterator[Context]:
    ours, address = api
    ours.broken.clear()
    settings = BoardSettings(api=address)
    async with Client(address, None, 5.0) as client:
        yield Context(settings, client, Poller(client), Readings(client))


@pytest.mark.parametrize("page", OTHERS, ids=lambda page: page.name)
async def test_every_page_draws_itself_from_the_contract(page: Page, context: Context):
    root = await page.layout(context, View())
    assert getattr(root, "id", None) == f"page-{page.name}"
    assert [text for text in texts(root) if "cannot" in text or "unexpected" in text] == []
    app = Dash(__name__, backend="fastapi")
    page.register(app, context)


@pytest.mark.parametrize("page", [page for page in OTHERS if page.name != "try-it"], ids=lambda page: page.name)
async def test_a_page_changes_nothing_while_nothing_has_changed(page: Page, context: Context):
    await page.layout(context, View())
    first = await page.news(context, View(), NOT_SEEN, {})
    again = await page.news(context, View(), NOT_SEEN, first.known)
    assert first.props
    moving = ("system-lag", "overview-error")  # drawn from the snapshot, which moves with the clock
    assert [name for name in again.props if not name.startswith(moving)] == []


async def test_of_a_page_only_the_broken_part_says_so(context: Context, api: tuple[StandInApi, str]):
    api[0].broken.add("/history")
    page = next(page for page in OTHERS if page.name == "overview")
    news = await page.news(context, View(), NOT_SEEN, {})
    errors = {name: props["data-error"] for name, props in news.props.items() if "data-error" in props}
    assert {name for name, error in errors.items() if error} == {"overview-day"}
    assert errors["overview-day"].startswith("The database does not answer.")
    assert "overview-day-body" not in news.props  # what it had stays


async def test_a_part_that_has_nothing_yet_holds_its_place_and_says_why(context: Context, api: tuple[StandInApi, str]):
    api[0].broken.add("/trips/summary")
    page = next(page for page in OTHERS if page.name == "data")
    told = " ".join(texts(await page.layout(context, View())))
    assert "The database does not answer" in told
    assert "Nothing has been read yet" in told


async def test_pages_with_one_question_share_its_answer(context: Context, api: tuple[StandInApi, str]):
    before = api[0].asked.count("/models")
    for name in ("overview", "models"):
        await next(page for page in OTHERS if page.name == name).layout(context, View())
    assert api[0].asked.count("/models") == before + 1


async def test_readers_in_two_zones_are_given_their_own_times(context: Context):
    from zoneinfo import ZoneInfo

    parts = next(page for page in OTHERS if page.name == "models")
    here = await parts.news(context, View(zone=ZoneInfo("UTC")), NOT_SEEN, {})
    there = await parts.news(context, View(zone=ZoneInfo("Asia/Tokyo")), NOT_SEEN, here.known)
    assert "models-reigns-body" in there.props


def test_every_question_is_asked_at_its_own_pace():
    paces = {ask.path: ask.every_seconds for ask in vars(asks).values() if isinstance(ask, Ask)}
    assert paces["/health"] < paces["/system"] < paces["/trips/summary"] < paces["/areas"]
    assert part.OPENING_SECONDS < 1
