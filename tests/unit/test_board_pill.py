"""What pill and banner say in each state, and that an address keeps a view."""

from datetime import UTC, datetime
from typing import Any, get_args
from zoneinfo import ZoneInfo

import pytest

from dashboard.frame import status, words
from dashboard.frame.status import Shown
from dashboard.poller import Seen
from dashboard.view import View, view_of
from schemas.http.snapshot import State
from tests.fakes.api_snapshot import City

NOW = 1_795_430_000.0


def seen(state: State = "live", *, silent: float = 0.3, age: float = 0.0, frozen: float | None = None) -> Seen:
    city = City(state=state, clock=lambda: NOW, frozen_at=frozen)
    return Seen(city.snapshot("boot", "15m", None), age, silent, None)


@pytest.mark.parametrize("state", get_args(State))
def test_the_apis_state_is_shown(state: State) -> None:
    assert status.shown(View(), seen(state)) == state


def test_a_pause_is_shown_unless_the_api_is_gone() -> None:
    assert status.shown(View(paused=True), seen("stale")) == "paused"
    assert status.shown(View(paused=True), seen(silent=2.1)) == "api_unreachable"


def test_before_the_first_answer_it_is_booting_and_then_unreachable() -> None:
    assert status.shown(View(), Seen(None, 0, 0.5, None)) == "booting"
    assert status.shown(View(), Seen(None, 0, 2.5, None)) == "api_unreachable"
    assert status.shown(View(), Seen(None, 0, 0.5, "No answer.")) == "api_unreachable"


def test_a_stale_stream_tells_for_how_long() -> None:
    quiet = seen("stale", frozen=NOW - 11.6, age=0.5)
    assert status.pill("stale", quiet) == "STALE 12 s"


@pytest.mark.parametrize(
    ("state", "says"),
    [("no_data", "tripcast simulate"), ("booting", "database, champion"), ("worker_stopped", "counted without it")],
)
def test_the_banner_says_what_to_do_or_what_is_awaited(state: State, says: str) -> None:
    told = status.banner(View(), state, seen(state))
    assert told is not None
    assert says in f"{told.text} {told.command}"


def test_a_database_that_is_away_keeps_the_age_of_what_is_seen() -> None:
    told = status.banner(View(), "database_unreachable", seen("database_unreachable", frozen=NOW - 20, age=5))
    assert told is not None
    assert told.level == "alarm"
    assert "(25 s old)" in told.text


@pytest.mark.parametrize("state", ["live", "paused"])
def test_all_well_needs_no_banner(state: Shown) -> None:
    assert status.banner(View(), state, seen()) is None


def test_an_api_that_never_answered_is_told_without_a_snapshot() -> None:
    told = status.banner(View(), "api_unreachable", Seen(None, 0, 4.2, "No answer from there."))
    assert told is not None
    assert told.title == "API unreachable for 4.2 s"
    assert told.text.startswith("No answer from there.")


def test_a_paused_page_tells_when_the_event_came_and_not_how_long_ago() -> None:
    line = status.last_event(View(paused=True, zone=ZoneInfo("UTC")), "paused", seen())
    at = datetime.fromtimestamp(NOW - 0.4, UTC)
    assert line.text.startswith(f"last event at {at:%H:%M:%S}")
    assert "UTC" in line.hover


NOT_UNDERSTOOD: list[Any] = [
    None,
    [],
    {"period": "2w", "theme": "pink", "area": "-1", "metric": "fun", "end": "both", "zone": "Mars/Base", "paused": "yes"},
    {"area": "\N{SUPERSCRIPT TWO}", "zone": "../../etc/passwd", "query": "x"},
]


@pytest.mark.parametrize("said", NOT_UNDERSTOOD)
def test_an_address_that_is_not_understood_is_the_default_view(said: object) -> None:
    assert view_of(said) == View()


def test_an_address_keeps_a_view() -> None:
    said = {
        "period": "24h",
        "paused": True,
        "theme": "dark",
        "area": 65,
        "metric": "error",
        "end": "dropoff",
        "zone": "Asia/Tokyo",
    }
    view = view_of(said | {"query": {"signal": "log_ratio"}})
    expected = View("24h", paused=True, theme="dark", area=65, metric="error", end="dropoff", zone=ZoneInfo("Asia/Tokyo"))
    assert (view.period, view.paused, view.area, view.zone) == (expected.period, True, 65, expected.zone)
    assert view.query == {"signal": "log_ratio"}
    assert view.address("/drift", signal="x") == "/drift?period=24h&theme=dark&area=65&signal=x"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "\N{EN DASH}"),
        (0, "0 ms"),
        (0.00042, "420 µs"),
        (0.0213, "21.3 ms"),
        (1.25, "1.25 s"),
        (59.9, "59.9 s"),
        (125, "2 min 05 s"),
    ],
)
def test_durations_are_short(value: float | None, text: str) -> None:
    assert words.seconds(value) == text


def test_long_durations_are_in_hours_and_days() -> None:
    assert words.seconds(3 * 3600 + 65) == "3 h 01 min"
    assert words.seconds(50 * 3600) == "2 d 2 h"
    assert (words.age(0.84), words.age(12.4), words.age(90), words.age(90_000)) == ("0.8 s", "12 s", "1 min", "1 d")
