"""Panels: read once for all who look, kept when reading fails, late without being lost."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from api.reads.panels import LATE, Cached, Shelf
from domain.errors import DatabaseUnreachable


class Source:
    """Answers when it may, with what it is told to."""

    def __init__(self) -> None:
        self.asked = 0
        self.content: object = "first"
        self.may = asyncio.Event()
        self.may.set()

    async def __call__(self) -> object:
        self.asked += 1
        await self.may.wait()
        if isinstance(self.content, Exception):
            raise self.content
        return self.content


class Time:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds

    def now(self) -> datetime:
        return datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=self.seconds)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def panel(source: Source, time: Time) -> Cached[object]:
    return Cached("panel", source, 2.0, time, time.now)


async def test_many_who_ask_at_once_ask_once(panel: Cached[object], source: Source) -> None:
    source.may.clear()
    waiting = [asyncio.create_task(panel.fresh(5)) for _ in range(20)]
    await asyncio.sleep(0)
    source.may.set()
    await asyncio.gather(*waiting)
    assert (source.asked, panel.panel().data, panel.panel().version) == (1, "first", 1)


async def test_it_is_read_anew_only_when_it_is_time(panel: Cached[object], source: Source, time: Time) -> None:
    await panel.fresh(5)
    source.content = "second"
    time.seconds += 1.9
    await panel.fresh(5)
    assert (source.asked, panel.data) == (1, "first")
    time.seconds += 0.2
    await panel.fresh(5)
    assert (source.asked, panel.data, panel.version) == (2, "second", 2)


async def test_the_version_changes_with_the_content_alone(panel: Cached[object], source: Source, time: Time) -> None:
    await panel.fresh(5)
    before = panel.as_of
    time.seconds += 3
    await panel.fresh(5)
    assert (source.asked, panel.version) == (2, 1)
    assert panel.as_of != before


async def test_what_fails_keeps_what_was_read_and_says_so_in_words(panel: Cached[object], source: Source, time: Time) -> None:
    await panel.fresh(5)
    source.content = DatabaseUnreachable("PostgreSQL at 10.0.0.1: secret detail")
    time.seconds += 3
    found = (await panel.fresh(5)).panel()
    assert (found.data, found.version) == ("first", 1)
    assert found.error == "The database does not answer; what was read before is shown."
    source.content = "second"
    time.seconds += 3
    assert (await panel.fresh(5)).panel().error is None
    assert panel.data == "second"


async def test_a_mistake_of_ours_is_logged_and_not_shown(panel: Cached[object], source: Source) -> None:
    source.content = KeyError("column")
    with capture_logs() as logs:
        found = (await panel.fresh(5)).panel()
    assert found.data is None
    assert found.error is not None
    assert "column" not in found.error
    assert [entry["event"] for entry in logs] == ["panel_failed"]


async def test_what_is_late_says_so_and_is_taken_in_when_it_comes(panel: Cached[object], source: Source, time: Time) -> None:
    await panel.fresh(5)
    source.may.clear()
    source.content = "second"
    time.seconds += 10
    assert (await panel.fresh(0.01)).panel().error == LATE
    assert (await panel.fresh(0.01)).panel().data == "first"
    assert source.asked == 2
    source.may.set()
    await panel.fresh(5)
    assert (panel.panel().data, panel.panel().error, source.asked) == ("second", None, 2)


async def test_a_short_delay_is_no_trouble(panel: Cached[object], source: Source, time: Time) -> None:
    await panel.fresh(5)
    source.may.clear()
    time.seconds += 2.5
    assert (await panel.fresh(0.01)).panel().error is None
    await panel.stop()


async def test_what_takes_long_is_read_less_often(time: Time) -> None:
    asked = 0

    async def slow() -> str:
        nonlocal asked
        asked += 1
        time.seconds += 1.5
        return "content"

    panel = Cached("panel", slow, 2.0, time, time.now)
    await panel.fresh(5)
    time.seconds += 10
    await panel.fresh(5)
    assert asked == 1
    time.seconds += 4
    await panel.fresh(5)
    assert asked == 2


async def test_views_share_a_panel_and_nobodys_panel_is_dropped(source: Source, time: Time) -> None:
    shelf = Shelf(time)
    assert shelf.get(("error", "15m"), source, 1.0) is shelf.get(("error", "15m"), source, 1.0)
    shelf.get(("error", "24h"), source, 1.0)
    time.seconds += 20
    shelf.get(("error", "15m"), source, 1.0)
    time.seconds += 11
    await shelf.sweep()
    assert len(shelf) == 1


async def test_what_failed_is_read_anew_when_the_fault_is_over(source: Source, time: Time) -> None:
    shelf = Shelf(time)
    failing, fine = Source(), source
    failing.content = DatabaseUnreachable("away")
    panels = [shelf.get((name,), each, 60.0) for name, each in (("failing", failing), ("fine", fine))]
    for panel in panels:
        await panel.fresh(5)
    failing.content = "back"
    await panels[0].fresh(5)
    assert panels[0].error is not None
    shelf.retry()
    for panel in panels:
        await panel.fresh(5)
    found = panels[0].panel()
    assert (found.data, found.error, fine.asked) == ("back", None, 1)


async def test_a_reading_that_failed_slowly_does_not_wait_ten_times_as_long(time: Time) -> None:
    asked = 0

    async def hangs() -> str:
        nonlocal asked
        asked += 1
        time.seconds += 5
        raise DatabaseUnreachable("no answer")

    panel = Cached("panel", hangs, 1.0, time, time.now)
    await panel.fresh(5)
    time.seconds += 5.1
    await panel.fresh(5)
    assert asked == 2


async def test_nobody_waits_for_what_took_long_last_time(time: Time) -> None:
    may = asyncio.Event()
    may.set()

    async def slow() -> float:
        await may.wait()
        time.seconds += 1.0
        return time.seconds

    panel = Cached("panel", slow, 2.0, time, time.now)
    first = (await panel.fresh(5)).data
    may.clear()
    time.seconds += 12
    found = await panel.fresh(3600)
    assert (found.data, found.error) == (first, None)
    time.seconds += 10
    assert (await panel.fresh(3600)).error == LATE
    may.set()
    await panel._asking.start()
    second = panel.data
    assert (second != first, panel.error) == (True, None)
    time.seconds += 200
    await panel.fresh(3600)
    for _ in range(5):
        await asyncio.sleep(0)
    assert panel.data != second
